"""Time the search of complete.py against one compiled call per iteration, in turn, in float32 and bfloat16.

    python -m benchmarks.complete [--rounds 5] [--iterations 20]

On a network of full width with new weights. Prints medians, in seconds per iteration of 4 photos.
"""

import statistics

from benchmarks import timing
from devices import start

start.set_up()

import numpy as np
import tensorflow as tf

from model import DCGAN
from sampling import completion
from sampling.settings import SearchSettings


def searches(precision, iterations):
    """Functions that search from the start, in so many iterations, in each of the two ways -> {name: function}."""
    search = completion.Search(DCGAN(precision=precision), SearchSettings(nIter=iterations))
    images = tf.constant(timing.noise(completion.PHOTOS_AT_A_TIME, 64, 64, 3))
    mask = tf.constant(np.repeat(completion.make_mask("center", 64)[None], len(images), axis=0))
    step = tf.function(search.adam, autograph=False)

    def one_by_one():
        state = search.start()
        for t in range(iterations):
            state = step(tf.constant(t), state, images, mask)
        return state[0]

    def compiled():
        return search.compiled_run(search.start(), images, mask, tf.constant(0), tf.constant(iterations))[0]

    return {f"compiled search, {precision}": compiled, f"one call per iteration, {precision}": one_by_one}


def main():
    """Measure and print."""
    options = timing.parser(__doc__, rounds=(5, "times each is run"), iterations=(20, "in each run")).parse_args()
    work = {k: v for precision in timing.PRECISIONS for k, v in searches(precision, options.iterations).items()}
    for name, seconds in timing.alternate(work, options.rounds).items():
        print(f"{name}: {statistics.median(seconds) / options.iterations:.4f} s per iteration")


if __name__ == "__main__":
    main()
