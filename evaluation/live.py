"""Evaluation while a network trains: the numbers of evaluate.py, for train-dcgan.py --evaluate_every."""

from evaluation import report
from evaluation.real import RealFaces
from evaluation.settings import EvaluationSettings
from recognition import dlib_features


def evaluator(config, **changes):
    """A function that measures the DCGAN that `config` (a TrainSettings) trains: dcgan -> {name: number}.

    changes: of the EvaluationSettings, such as n

    Real faces are looked at when it is called for the first time. Raises ModuleNotFoundError without dlib.
    """
    dlib_features.check_installed()
    settings, real = EvaluationSettings(dataset=config.dataset, **changes), []

    def evaluate(dcgan):
        if not real:
            real.append(RealFaces(config.checkpoint_dir, config.image_size, config.c_dim, settings))
        about = {"real face rate": real[0].face_rate, "n": real[0].n}  # runs.summaries.ABOUT
        return report.measure(dcgan, real[0])[0] | about

    return evaluate
