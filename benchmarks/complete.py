"""Time the search of complete.py against one compiled call per iteration, in turn, in float32 and bfloat16.

    python -m benchmarks.complete [--rounds 5] [--iterations 20]

On a network of full width with new weights. Prints medians, in seconds per iteration of 4 photos.
"""

import argparse
import statistics
import time

from devices import start

start.set_up()

import numpy as np
import tensorflow as tf

from model import DCGAN
from sampling import completion
from sampling.settings import SearchSettings


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="times each is run (default: 5)")
    parser.add_argument("--iterations", type=int, default=20, help="in each run (default: 20)")
    given = parser.parse_args(arguments)
    settings = SearchSettings(
        approach="adam", lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8, lam=0.1, restarts=1, seed=0,
        nIter=given.iterations, outInterval=given.iterations, hmcBeta=0.2, hmcEps=0.001, hmcL=100, hmcAnneal=1.0,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(-1, 1, [completion.PHOTOS_AT_A_TIME, 64, 64, 3]), tf.float32)
    mask = tf.constant(np.repeat(completion.make_mask("center", 64)[None], completion.PHOTOS_AT_A_TIME, axis=0))
    work = {}
    for precision in ("float32", "bfloat16"):
        search = completion.Search(DCGAN(precision=precision), settings)
        step = tf.function(search.adam, autograph=False)

        def one_by_one(search=search, step=step):
            state = search.start()
            for t in range(given.iterations):
                state = step(tf.constant(t), state, images, mask)
            return state[0]

        def compiled(search=search):
            return search.compiled_run(search.start(), images, mask, tf.constant(0), tf.constant(given.iterations))[0]

        work |= {f"compiled search, {precision}": compiled, f"one call per iteration, {precision}": one_by_one}
    seconds = {name: [] for name in work}
    for _ in range(given.rounds + 1):  # the first warms up
        for name, function in work.items():
            began = time.perf_counter()
            function().numpy()
            seconds[name].append((time.perf_counter() - began) / given.iterations)
    for name, values in seconds.items():
        print(f"{name}: {statistics.median(values[1:]):.4f} s per iteration")


if __name__ == "__main__":
    main()
