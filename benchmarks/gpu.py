"""What `python -m benchmarks.train` measures on a GPU: batch sizes, precisions, XLA, the input, and all devices."""

import itertools
import statistics

import tensorflow as tf

from benchmarks import timing
from benchmarks.training import matrix_product, on_one_batch, pipeline

BATCH_SIZES = (64, 256, 1024, 2048)
BATCHES = 20  # timed at once, since a GPU works on while the program runs ahead
ROUNDS = 3
SIDE = 8192  # of the matrices


def seconds_per_call(work):
    """Median seconds of a call to work(), a chain of which the device is left to do."""
    _, *seconds = [timing.clock(work, BATCHES) for _ in range(1 + ROUNDS)]  # the first warms up
    return statistics.median(seconds)


def main(dim, gflop_per_image, strategy=None, batch_sizes=BATCH_SIZES):
    """Measure and print. gflop_per_image: what the algorithm needs; strategy: of all devices, if several."""
    rates = {dtype: 2 * SIDE**3 / 1e12 / seconds_per_call(matrix_product(dtype, SIDE)) for dtype in timing.PRECISIONS}
    for dtype, rate in rates.items():
        print(f"matrix product in {dtype}: {rate:.0f} TFLOP/s")
    print("\n| precision | XLA | devices | batch | ms per batch | images/s | of the matrix product's rate |")
    print("|---|---|---|---|---|---|---|")
    several = [(strategy, strategy.num_replicas_in_sync, False)] if strategy else []  # XLA works on one device only
    ways = [(None, 1, False), *several, (None, 1, True)]
    for precision, (devices, number, xla), batch_size in itertools.product(rates, ways, batch_sizes):
        try:
            seconds = seconds_per_call(on_one_batch(batch_size, dim, precision, devices, xla))
            share = gflop_per_image * batch_size / 1e3 / seconds / rates[precision] / number
            measured = f"{1e3 * seconds:.1f} | {batch_size / seconds:,.0f} | {share:.0%}"
        except tf.errors.OpError as error:
            measured = f"failed: {type(error).__name__} | |"
        print(f"| {precision} | {'yes' if xla else 'no'} | {number} | {batch_size} | {measured} |", flush=True)
    for batch_size in (batch_sizes[0], batch_sizes[-1]):
        held, first, later = (1e3 * s for s in pipeline(batch_size, dim, "bfloat16", 2 * BATCHES * 64).values())
        print(
            f"input, bfloat16, batch {batch_size}: {held:.1f} ms on one batch in memory; from PNG files "
            f"{first:.1f} ms in the first epoch, {later:.1f} ms later"
        )
