"""What sharing a batch costs: two logical devices against one on the same cores, and one device against a direct call.

python benchmarks/replicas.py [--n 5] [--precision float32]
"""

import argparse
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np

from training import devices

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--n", type=int, default=5, help="timed batches of each, in turn")
parser.add_argument("--precision", default="float32")
options = parser.parse_args()
strategy, _ = devices.set_up(names="CPU:0,CPU:1")

from model import DCGAN  # noqa: E402
from training.replicas import Replicas  # noqa: E402

rng = np.random.default_rng(0)
images = rng.uniform(-1, 1, [64, 64, 64, 3]).astype(np.float32)
z = rng.uniform(-1, 1, [64, 100]).astype(np.float32)


def batch(strategy):
    """A function that trains a model of its own on one batch; strategy "none": without even the default's run."""
    replicas = Replicas(64, None if strategy == "none" else strategy)
    with replicas.strategy.scope():
        dcgan = DCGAN(precision=options.precision)
    run = (lambda function, *arguments: function(*arguments)) if strategy == "none" else replicas.run

    def train():
        losses, _ = run(dcgan.update, replicas.spread(images[replicas.rows]), replicas.spread(z[replicas.rows]))
        return float(replicas.first_of(losses)["d_loss"])

    return train


work = {"one device, called directly": batch("none"), "one device": batch(None), "two logical devices": batch(strategy)}
seconds = {name: [] for name in work}
for turn in range(options.n + 2):  # two to warm up
    for name, train in work.items():
        began = time.perf_counter()
        train()
        if turn >= 2:
            seconds[name].append(time.perf_counter() - began)
direct = np.median(seconds["one device, called directly"])
for name, times in seconds.items():
    median = np.median(times)
    print(
        f"{name}: {median:.3f} s a batch ({min(times):.3f} to {max(times):.3f}), {median / direct:.3f} of a direct call"
    )
