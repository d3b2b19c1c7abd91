"""What sharing a batch costs: two logical devices against one on the same cores, and one against a direct call.

python -m benchmarks.replicas [--n 5] [--batch_size 64] [--dim 64] [--precision float32]
"""

import statistics

from benchmarks import timing
from devices import start

STRATEGY, _ = start.set_up(names="CPU:0,CPU:1")

import tensorflow as tf

from benchmarks.training import on_one_batch
from model import DCGAN


def main():
    """Measure and print."""
    flags = dict(n=(5, "timed batches of each, in turn"), **timing.SIZE, precision=("float32", "number format"))
    options = timing.parser(__doc__, **flags).parse_args()
    size = options.batch_size, options.dim, options.precision
    dcgan = DCGAN(gf_dim=options.dim, df_dim=options.dim, precision=options.precision)
    images = tf.constant(timing.noise(options.batch_size, 64, 64, 3))
    work = {
        "one device, called directly": lambda: dcgan.train_step(images)["d_loss"],
        "one device": on_one_batch(*size),
        "two logical devices": on_one_batch(*size, STRATEGY),
    }
    seconds = timing.alternate(work, options.n, warm_up=2)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, times in seconds.items():
        share = medians[name] / medians["one device, called directly"]
        spread = f"{min(times):.3f} to {max(times):.3f}"
        print(f"{name}: {medians[name]:.3f} s per batch ({spread}), {share:.3f} of a direct call")


if __name__ == "__main__":
    main()
