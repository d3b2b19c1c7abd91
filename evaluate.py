#!/usr/bin/env python3
"""Measure how good a trained network's faces are, against real ones.

    ./evaluate.py --checkpoint_dir checkpoints --dataset data/your-dataset/aligned
    ./evaluate.py --checkpoint_dir checkpoints --dataset data/your-dataset/aligned --steps all

Prints a table, and writes it beside the checkpoint as evaluation-STEP.json, with a sheet of samples,
each beside the training face nearest to it, evaluation-STEP.png. docs/evaluation.md explains the numbers.
"""

import os

import cli.program
from cli.flags import add_flag, script_parser
from cli.kinds import NAME, text, whole
from devices import start
from errors import UserError
from runs.files import check_network
from runs.naming import use_name


def flags():
    """The command line."""
    parser = script_parser(__doc__)
    add, folder = add_flag, text("DIR")
    add(parser, "checkpoint_dir", folder, "checkpoints", "checkpoint folder of the training run")
    add(parser, "name", NAME, None, "name of the run, for --checkpoint_dir checkpoints/NAME --log_dir logs/NAME")
    add(parser, "dataset", folder, None, "the images that the network was trained on (required)", required=True)
    add(parser, "held_out", folder, None, "real faces that the network was not trained on, to compare distances with")
    add(parser, "steps", text("LIST"), None, "evaluate these checkpoints: \"all\", or a list such as 500,1000; their "
        "curves go to TensorBoard too (default: the newest)")  # fmt: skip
    add(parser, "n", whole(10, 10_000), 2000, "number of generated faces, and of real ones")
    add(parser, "seed", whole(0), 0, "seed of the generated faces")
    add(parser, "inception", text("FILE"), None, "compute FID too, with these weights of Keras' InceptionV3 (imagenet: "
        "download them); needs --n 2048 or more")  # fmt: skip
    add(parser, "log_dir", folder, "logs", "folder for the curves of --steps")
    add(parser, "out", folder, None, "folder for the results (default: --checkpoint_dir)")
    add(parser, "cache_dir", folder, None, "folder for the real faces' features (default: --out)")
    add(parser, "workers", whole(1), None, "processes (default: one per core)")
    return parser


def check(options):
    """Refuse, before any work, what can't be done. Raises UserError, ModuleNotFoundError."""
    for flag in ("dataset", "held_out"):
        folder = getattr(options, flag)
        if folder and not os.path.exists(folder):
            raise UserError(f"--{flag} {folder}: no such folder or file")
    check_network(options.checkpoint_dir)
    from runs import resume

    try:
        resume.make_folder(*(("--out", options.out) if options.out else ("--checkpoint_dir", options.checkpoint_dir)))
    except UserError as error:
        raise UserError(f"{error}; name a folder that can be, with --out") from error
    if options.cache_dir:
        resume.make_folder("--cache_dir", options.cache_dir)
    if options.steps:
        resume.make_folder("--log_dir", options.log_dir)
    from evaluation import dlib_features

    dlib_features.check_installed()


def main(arguments):
    """Evaluate. Returns the exit code."""
    options = flags().parse_args(arguments)
    use_name(vars(options), arguments)
    check(options)
    if options.inception:  # Keras reads it when it is imported
        os.environ.setdefault("KERAS_HOME", os.path.join(os.path.expanduser("~"), ".keras"))
    start.set_up()
    from evaluation import report

    settings = vars(options)
    del settings["debug"]
    report.evaluate_steps(inception_weights=settings.pop("inception"), **settings)
    return 0


if __name__ == "__main__":
    cli.program.run(main, less_memory="a smaller --n, fewer --workers")
