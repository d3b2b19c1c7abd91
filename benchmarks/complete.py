"""Time the search of complete.py against one compiled call an iteration, in turn, and bfloat16.

    python benchmarks/complete.py [--rounds 5] [--iterations 20]

On a network of full width with new weights. Prints medians, in seconds an iteration of 4 photos.
"""

import argparse
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from training import devices

devices.set_up()

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from model import DCGAN  # noqa: E402
from sampling import completion  # noqa: E402


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="times each is run (default: 5)")
    parser.add_argument("--iterations", type=int, default=20, help="in each run (default: 20)")
    given = parser.parse_args()
    options = argparse.Namespace(
        approach="adam", lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8, lam=0.1, restarts=1, seed=0
    )  # fmt: skip
    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(-1, 1, [completion.BATCH, 64, 64, 3]), tf.float32)
    mask = tf.constant(np.repeat(completion.make_mask("center", 64)[None], completion.BATCH, axis=0))
    work = {}
    for precision in ("float32", "bfloat16"):
        search = completion.Search(DCGAN(precision=precision), options)
        step = tf.function(search.adam, autograph=False)

        def one_by_one(search=search, step=step):
            state = search.start()
            for t in range(given.iterations):
                state = step(tf.constant(t), state, images, mask)
            return state[0]

        def compiled(search=search):
            return search.run(search.start(), images, mask, tf.constant(0), tf.constant(given.iterations))[0]

        work |= {f"compiled search, {precision}": compiled, f"one call an iteration, {precision}": one_by_one}
    seconds = {name: [] for name in work}
    for _ in range(given.rounds + 1):  # the first warms up
        for name, function in work.items():
            began = time.perf_counter()
            function().numpy()
            seconds[name].append((time.perf_counter() - began) / given.iterations)
    for name, values in seconds.items():
        print(f"{name}: {statistics.median(values[1:]):.4f} s an iteration")


if __name__ == "__main__":
    main()
