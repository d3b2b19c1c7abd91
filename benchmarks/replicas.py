"""What sharing a batch costs: two logical devices against one on the same cores, and one against a direct call.

python -m benchmarks.replicas [--n 5] [--batch_size 64] [--dim 64] [--precision float32]
"""

import argparse
import time

import numpy as np

from devices import start


def training(strategy, options):
    """A function that trains a model of its own on one batch -> d_loss.

    strategy: of tf.distribute; None: one device; "none": one device, called without a strategy
    """
    from devices.replicas import Replicas
    from model import DCGAN

    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, [options.batch_size, 64, 64, 3]).astype(np.float32)
    if strategy == "none":
        dcgan = DCGAN(gf_dim=options.dim, df_dim=options.dim, precision=options.precision)
        return lambda: float(dcgan.train_step(images)["d_loss"])
    replicas = Replicas(options.batch_size, strategy)
    with replicas.strategy.scope():
        dcgan = DCGAN(gf_dim=options.dim, df_dim=options.dim, precision=options.precision)

    def train():
        losses, _ = replicas.train_step(dcgan, replicas.to_devices(images[replicas.local_rows]), 0)
        return float(losses["d_loss"])

    return train


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=5, help="timed batches of each, in turn (default: 5)")
    parser.add_argument("--batch_size", type=int, default=64, help="images per batch (default: 64)")
    parser.add_argument("--dim", type=int, default=64, help="gf_dim and df_dim (default: 64)")
    parser.add_argument("--precision", default="float32", help="float32 or bfloat16 (default: float32)")
    options = parser.parse_args(arguments)
    strategy, _ = start.set_up(names="CPU:0,CPU:1")
    work = {
        "one device, called directly": training("none", options),
        "one device": training(None, options),
        "two logical devices": training(strategy, options),
    }
    seconds = {name: [] for name in work}
    for turn in range(options.n + 2):  # two to warm up
        for name, train in work.items():
            began = time.perf_counter()
            train()
            if turn >= 2:
                seconds[name].append(time.perf_counter() - began)
    direct = np.median(seconds["one device, called directly"])
    for name, times in seconds.items():
        middle = np.median(times)
        spread = f"{min(times):.3f} to {max(times):.3f}"
        print(f"{name}: {middle:.3f} s per batch ({spread}), {middle / direct:.3f} of a direct call")


if __name__ == "__main__":
    main()
