#!/usr/bin/env python3
"""Measure how good a trained network's faces are, against real ones.

    ./evaluate.py --checkpoint_dir checkpoints --dataset data/your-dataset/aligned
    ./evaluate.py --checkpoint_dir checkpoints --dataset data/your-dataset/aligned --steps all

Prints a table, and writes it beside the checkpoint as evaluation-STEP.json, with a sheet of samples,
each beside the training face nearest to it, evaluation-STEP.png. docs/evaluation.md explains the numbers.
"""

import os

import cli
from errors import UserError
from training import devices
from training.settings import text, whole


def flags():
    """The command line."""
    parser = cli.parser(__doc__)
    add, folder = cli.add_flag, text("DIR")
    add(parser, "checkpoint_dir", folder, "checkpoints", "checkpoint folder of the training")
    add(parser, "dataset", folder, None, "the images that it was trained on (required)", required=True)
    add(parser, "held_out", folder, None, "real faces that it was not trained on, to compare distances with")
    add(parser, "steps", text("LIST"), None, "checkpoints to evaluate: all, or such as 500,1000; their curves go to "
        "TensorBoard too (default: the newest)")  # fmt: skip
    add(parser, "n", whole(10, 10_000), 2000, "faces of each kind")
    add(parser, "seed", whole(0), 0, "seed of the generated faces")
    add(parser, "inception", text("FILE"), None, "compute FID too, with these weights of Keras' InceptionV3 (imagenet: "
        "download them)")  # fmt: skip
    add(parser, "log_dir", folder, "logs", "folder for the curves of --steps")
    add(parser, "cache_dir", folder, None, "folder for the real faces' features (default: --checkpoint_dir)")
    add(parser, "workers", whole(1), None, "processes (default: one per core)")
    return parser


def check(options):
    """Refuse, before any work, what can't be done. Raises UserError, ModuleNotFoundError."""
    for flag in ("dataset", "held_out"):
        folder = getattr(options, flag)
        if folder and not os.path.isdir(folder):
            raise UserError(f"--{flag} {folder}: no such folder")
    from evaluation import dlib_features

    dlib_features.check_installed()


def main(arguments):
    """Evaluate. Returns the exit code."""
    options = flags().parse_args(arguments)
    check(options)
    if options.inception:  # Keras reads it when it is imported
        os.environ.setdefault("KERAS_HOME", os.path.join(os.path.expanduser("~"), ".keras"))
    devices.set_up()
    from evaluation import report

    settings = vars(options)
    del settings["debug"]
    report.evaluate_steps(inception_weights=settings.pop("inception"), **settings)
    return 0


if __name__ == "__main__":
    cli.run(main)
