"""Measure training on this machine: `make bench`.

    python -m benchmarks.train [--rounds 7] [--batch_size 64] [--dim 64]

Runs in turn, in one process: a batch of the original's loop, of this program in float32 and in
bfloat16, and a large matrix product in each type. Then compares training from PNG files with
training on one batch held in memory. Prints medians. On a GPU, benchmarks/gpu.py measures instead: batches
of 64 to 2,048, with XLA and without, on one device and on all.
"""

import argparse
import os
import platform
import re
import resource
import statistics
import tempfile
import time

from devices import start

STRATEGY, _ = start.set_up()

import numpy as np
import tensorflow as tf

import utils
from benchmarks.original import Original
from model import DCGAN
from photos import demo
from photos.dataset import ImageData


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


def clock(work):
    """Seconds that work() takes until its result is here."""
    began = time.perf_counter()
    tf.nest.map_structure(np.asarray, work())
    return time.perf_counter() - began


def matrix_product(dtype, size=4096):
    """A function that multiplies two large matrices, and its GFLOP."""
    a, b = (tf.cast(tf.random.normal([size, size]), dtype) for _ in range(2))
    product = tf.function(lambda: tf.cast(tf.matmul(a, b)[0, 0], tf.float32))
    return product, 2 * size**3 / 1e9


def machine():
    """The machine in words."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return ", ".join(tf.config.experimental.get_device_details(gpu)["device_name"] for gpu in gpus)
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            text = file.read()
        model = re.search(r"model name\s*: (.*)", text)[1]
        known = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"]
        model += " with " + ", ".join(name for name in known if re.search(rf"\b{name}\b", text))
    return f"{model}, {os.cpu_count()} cores"


def compare(options):
    """Seconds per batch of each, in turn -> {name: median}, the matrix products' GFLOP/s, and peak memory."""
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, [options.batch_size, 64, 64, 3]).astype(np.float32)
    z = rng.uniform(-1, 1, [options.batch_size, 100]).astype(np.float32)
    held = tf.constant(images)
    work = {}
    for precision in ("float32", "bfloat16"):
        dcgan = DCGAN(gf_dim=options.dim, df_dim=options.dim, precision=precision)
        work[precision] = lambda dcgan=dcgan: dcgan.train_step(held)
        clock(work[precision])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    original = Original(tempfile.mkdtemp(), options.batch_size, options.dim)
    work["original"] = lambda: original.step(images, z)
    gflop = {}
    for dtype in ("float32", "bfloat16"):
        work[f"product {dtype}"], gflop[dtype] = matrix_product(dtype)
    seconds = {name: [] for name in work}
    for _ in range(options.rounds + 1):  # the first warms up
        for name, function in work.items():
            seconds[name].append(clock(function))
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    rates = {dtype: gflop[dtype] / medians.pop(f"product {dtype}") for dtype in gflop}
    return medians, rates, memory


def pipeline(options, precision):
    """Seconds per batch on one batch in memory and from PNG files, in turn, an epoch of each at a time."""
    with tempfile.TemporaryDirectory() as folder:
        batches = 2 * options.rounds
        demo.write_faces(folder, batches * options.batch_size)
        dcgan = DCGAN(gf_dim=options.dim, df_dim=options.dim, precision=precision)
        data = ImageData(folder, image_size=64, c_dim=3, batch_size=options.batch_size, seed=0, cache="on")
        held = tf.constant(utils.transform(data.batch(0, 0)))
        clock(lambda: dcgan.train_step(held))
        data = ImageData(folder, image_size=64, c_dim=3, batch_size=options.batch_size, seed=0, cache="on")
        names = ["one batch in memory", "from files, first epoch", "from files, later"]
        seconds = {name: [] for name in names}
        for epoch in range(3):
            began = time.perf_counter()
            for _ in range(batches):
                losses = dcgan.train_step(held)
            clock(lambda losses=losses: losses)
            seconds[names[0]].append((time.perf_counter() - began) / batches)
            began = time.perf_counter()
            for images in data.batches(epoch * batches, (epoch + 1) * batches):
                losses = dcgan.train_step(images)
            clock(lambda losses=losses: losses)
            seconds[names[min(epoch + 1, 2)]].append((time.perf_counter() - began) / batches)
        return {name: statistics.median(values) for name, values in seconds.items()}


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="times each is run (default: 7)")
    parser.add_argument("--batch_size", type=int, default=64, help="images per batch (default: 64)")
    parser.add_argument("--dim", type=int, default=64, help="gf_dim and df_dim (default: 64)")
    options = parser.parse_args(arguments)
    if tf.config.list_physical_devices("GPU"):
        from benchmarks import gpu

        print(f"{machine()}; TensorFlow {tf.__version__}, width {options.dim}")
        return gpu.main(options.dim, 2 * multiply_adds(options.dim) / 1e9, STRATEGY)
    medians, rates, memory = compare(options)
    work = 2 * multiply_adds(options.dim) * options.batch_size / 1e9  # GFLOP a batch

    print(f"{machine()}; TensorFlow {tf.__version__}")
    print(f"width {options.dim}, batch {options.batch_size}: {work:.0f} GFLOP per batch; medians of {options.rounds}")
    for dtype, rate in rates.items():
        print(f"matrix product in {dtype}: {rate:.0f} GFLOP/s")
    print("\n|  | s per batch | images/s | GFLOP/s | of the matrix product's | times the original's speed |")
    print("|---|---|---|---|---|---|")
    for name in ("original", "float32", "bfloat16"):
        second = medians[name]
        rate = work / second
        percent = "" if name == "original" else f"{rate / rates[name]:.0%}"
        label = "the original's loop" if name == "original" else name
        ratio = medians["original"] / second
        print(f"| {label} | {second:.3f} | {options.batch_size / second:.1f} | {rate:.0f} | {percent} | {ratio:.2f} |")
    print()
    for precision in ("float32", "bfloat16"):
        seconds = pipeline(options, precision)
        memory_batch = seconds["one batch in memory"]
        parts = [f"{name} {value:.3f} s ({value / memory_batch - 1:+.1%})" for name, value in seconds.items()]
        print(f"input in {precision}: " + ", ".join(parts))
    print(f"peak memory of the process with both models: {memory:,.0f} MB")


if __name__ == "__main__":
    main()
