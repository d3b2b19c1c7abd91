"""What the benchmarks share: the command line, the clock, runs in turn, and images of noise. Loads no TensorFlow."""

import argparse
import time

import numpy as np

PRECISIONS = ("float32", "bfloat16")
SIZE = dict(batch_size=(64, "images per batch"), dim=(64, "gf_dim and df_dim"))  # flags of those that train


def parser(description, **flags):
    """The command line of a benchmark.

    flags: the default of each, of whose type its values are, and its help text
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, (default, help) in flags.items():
        choices = PRECISIONS if name == "precision" else None
        help = f"{help} (default: {default})"
        parser.add_argument(f"--{name}", type=type(default), default=default, choices=choices, help=help)
    return parser


def clock(function, calls=1):
    """Seconds per call of a function, until the last call's result, a tensor or an array, or None, is here.

    calls: how many follow one another, of which a GPU does one while the program starts the next
    """
    began = time.perf_counter()
    for _ in range(calls):
        result = function()
    np.asarray(result)
    return (time.perf_counter() - began) / calls


def alternate(work, rounds, warm_up=1, report=lambda name, seconds: None):
    """Run functions in turn, so that what else the machine does slows all alike -> {name: seconds in each round}.

    work: {name: function}
    warm_up: rounds before the others, which do not count
    report: called after each run that counts
    """
    seconds = {name: [] for name in work}
    for turn in range(warm_up + rounds):
        for name, function in work.items():
            took = clock(function)
            if turn >= warm_up:
                seconds[name].append(took)
                report(name, took)
    return seconds


def noise(*shape):
    """Noise, uniform in [-1, 1), float32 of a shape, the same each time."""
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
