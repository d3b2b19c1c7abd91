#!/usr/bin/env python3
"""Measure how good a trained network's faces are, against real ones.

    ./evaluate.py --dataset data/your-dataset/aligned
    ./evaluate.py --name mine --dataset data/your-dataset/aligned --n 500   # a run with a name, faster
    ./evaluate.py --dataset data/your-dataset/aligned --steps all           # each checkpoint, as curves

Prints a table, and writes it beside the checkpoint as evaluation-STEP.json, with a sheet of samples,
each beside the training face nearest to it, evaluation-STEP.png. docs/evaluation.md explains the numbers.
The first time takes a minute or two on two cores, each further checkpoint half a minute.
"""

import os

import cli.program
from cli.flags import Parser
from cli.settings import add_settings, from_options
from devices import start
from errors import UserError
from evaluation.settings import EvaluationSettings
from runs.naming import add_network_flags, use_name
from runs.network import describe, find_network, is_included

machine, report = cli.program.Later("cli.machine"), cli.program.Later("evaluation.report")
dlib_features = cli.program.Later("recognition.dlib_features")


def flags():
    """The command line."""
    parser = Parser(__doc__)
    add_network_flags(parser, step=False, own=True)
    add_settings(parser, EvaluationSettings)
    return parser


def check(checkpoint_dir, settings):
    """Refuse, before any work, what can't be done -> the network. Raises UserError, ModuleNotFoundError."""
    for flag in ("dataset", "held_out"):
        folder = getattr(settings, flag)
        if folder and not os.path.exists(folder):
            raise UserError(f"--{flag} {folder}: no such folder or file")
    network = find_network(checkpoint_dir)
    if is_included(checkpoint_dir) and not settings.out:
        raise UserError(
            f"--checkpoint_dir {checkpoint_dir}: comes with the project; name a folder for the results, --out"
        )
    try:
        machine.make_folder(*(("--out", settings.out) if settings.out else ("--checkpoint_dir", checkpoint_dir)))
    except UserError as error:
        raise UserError(f"{error}; name a folder that can be, with --out") from error
    if settings.cache_dir:
        machine.make_folder("--cache_dir", settings.cache_dir)
    if settings.steps:
        machine.make_folder("--log_dir", settings.log_dir)
    dlib_features.check_installed()
    return network


def main(arguments):
    """Evaluate. Returns the exit code."""
    options = flags().parse_args(arguments)
    use_name(vars(options), arguments)
    settings = from_options(EvaluationSettings, options)
    network = check(options.checkpoint_dir, settings)
    if not settings.steps:  # else report.py says which
        describe(network)
    start.set_up()
    report.evaluate_steps(options.checkpoint_dir, settings)
    return 0


if __name__ == "__main__":
    cli.program.run(main, less_memory="a smaller --n, fewer --workers")
