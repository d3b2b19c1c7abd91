"""Evaluation while a network trains: the numbers of evaluate.py, for train-dcgan.py --evaluate_every."""

from evaluation import dlib_features, report
from evaluation.real import RealFaces

N = 2000  # generated faces, and real ones, as evaluate.py's default
SEED = 0


def evaluator(config, n=N):
    """A function that measures the DCGAN that `config` (a TrainSettings) trains: dcgan -> {name: number}.

    Real faces are looked at when it is called for the first time. Raises ModuleNotFoundError without dlib.
    """
    dlib_features.check_installed()
    real = []

    def evaluate(dcgan):
        if not real:
            real.append(RealFaces(config.checkpoint_dir, dcgan, config.dataset, n))
        return report.measure(dcgan, real[0], SEED)[0]

    return evaluate
