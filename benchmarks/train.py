"""Measure training on this machine: `make bench`.

    python -m benchmarks.train [--rounds 7] [--batch_size 64] [--dim 64]

Runs in turn, in one process: a batch of the original's loop, of this program in float32 and in
bfloat16, and a large matrix product in each type. Then compares training from PNG files with
training on one batch held in memory. Prints medians. On a GPU, benchmarks/gpu.py measures instead: batches
of 64 to 2,048, with XLA and without, on one device and on all.
"""

import os
import pathlib
import platform
import re
import resource
import statistics
import tempfile

from benchmarks import timing
from devices import start

STRATEGY, _ = start.set_up(xla=None)

import tensorflow as tf

from benchmarks import gpu
from benchmarks.original import Original
from benchmarks.training import matrix_product, on_one_batch, pipeline

SIDE = 4096  # of the matrices
ORIGINAL = "the original's loop"


def multiply_adds(dim, z_dim=100, g_steps=2):
    """Multiply-adds that the algorithm needs per 64x64 image and batch, padded taps included.

    Three passes over a network cost the same: forward, gradient of the weights, gradient of the inputs.
    """
    conv = 25 * 8 * 8 * (4 * dim) * (2 * dim)  # each of the three inner layers of G, and of D
    image_conv = 25 * 32 * 32 * 3 * dim  # the layer at the image
    linear_g, linear_d = z_dim * 16 * 8 * dim, 16 * 8 * dim
    g = linear_g + 3 * conv + image_conv
    d = image_conv + 3 * conv + linear_d
    d_update = g + 2 * (d + d + d - image_conv)  # G(z); real and fake: forward, weights, inputs but the image
    g_update = d + d + g + (g - linear_g)  # D forward and inputs, G's weights and inputs but z
    return d_update + g_steps * g_update + (g_steps - 1) * g


def machine():
    """The machine in words."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return ", ".join(tf.config.experimental.get_device_details(gpu)["device_name"] for gpu in gpus)
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        text = pathlib.Path("/proc/cpuinfo").read_text()
        model = re.search(r"model name\s*: (.*)", text)[1]
        known = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"]
        model += " with " + ", ".join(name for name in known if re.search(rf"\b{name}\b", text))
    return f"{model}, {os.cpu_count()} cores"


def compare(batch_size, dim, rounds):
    """Seconds per batch of each, and of the matrix products, in turn -> {name: median}, and peak memory in MB."""
    work = {precision: on_one_batch(batch_size, dim, precision) for precision in timing.PRECISIONS}
    for train in work.values():
        timing.clock(train)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    original = Original(tempfile.mkdtemp(), batch_size, dim)
    images, z = timing.noise(batch_size, 64, 64, 3), timing.noise(batch_size, 100)
    work[ORIGINAL] = lambda: original.step(images, z)
    work |= {f"product in {dtype}": matrix_product(dtype, SIDE) for dtype in timing.PRECISIONS}
    return {name: statistics.median(seconds) for name, seconds in timing.alternate(work, rounds).items()}, memory


def main():
    """Measure and print."""
    options = timing.parser(__doc__, rounds=(7, "times each is run"), **timing.SIZE).parse_args()
    batch_size, dim, rounds = options.batch_size, options.dim, options.rounds
    gflop_per_image = 2 * multiply_adds(dim) / 1e9
    if tf.config.list_physical_devices("GPU"):
        print(f"{machine()}; TensorFlow {tf.__version__}, width {dim}")
        return gpu.main(dim, gflop_per_image, STRATEGY)
    medians, memory = compare(batch_size, dim, rounds)

    print(f"{machine()}; TensorFlow {tf.__version__}")
    gflop = gflop_per_image * batch_size
    print(f"width {dim}, batch {batch_size}: {gflop:.0f} GFLOP per batch; medians of {rounds}")
    rates = {dtype: 2 * SIDE**3 / 1e9 / medians[f"product in {dtype}"] for dtype in timing.PRECISIONS}
    for dtype, rate in rates.items():
        print(f"matrix product in {dtype}: {rate:.0f} GFLOP/s")
    print("\n|  | s per batch | images/s | GFLOP/s | of the matrix product's | times the original's speed |")
    print("|---|---|---|---|---|---|")
    for name in (ORIGINAL, *timing.PRECISIONS):
        seconds = medians[name]
        share = f"{gflop / seconds / rates[name]:.0%}" if name in rates else ""
        print(
            f"| {name} | {seconds:.3f} | {batch_size / seconds:.1f} | {gflop / seconds:.0f} | {share} "
            f"| {medians[ORIGINAL] / seconds:.2f} |"
        )
    print()
    for precision in timing.PRECISIONS:
        seconds = pipeline(batch_size, dim, precision, photos=2 * rounds * batch_size)
        held = seconds["one batch in memory"]
        parts = [f"{name} {value:.3f} s ({value / held - 1:+.1%})" for name, value in seconds.items()]
        print(f"input in {precision}: " + ", ".join(parts))
    print(f"peak memory of the process with both models: {memory:,.0f} MB")


if __name__ == "__main__":
    main()
