"""What `python -m benchmarks.train` measures on a GPU: batch sizes, precisions, XLA, the input, and all devices."""

import itertools
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf

import utils
from devices.replicas import Replicas
from model import DCGAN
from photos import demo
from photos.dataset import ImageData

BATCH_SIZES = (64, 256, 1024, 2048)
BATCHES = 20  # timed at once, since a GPU works on while the program runs ahead
ROUNDS = 3


def seconds_per_call(work, calls=BATCHES):
    """Median seconds of a call to work(), a chain of which the device is left to do."""
    work()
    times = []
    for _ in range(ROUNDS + 1):  # the first warms up
        began = time.perf_counter()
        for _ in range(calls):
            result = work()
        tf.nest.map_structure(np.asarray, result)
        times.append((time.perf_counter() - began) / calls)
    return statistics.median(times[1:])


def matrix_rate(dtype, size=8192):
    """TFLOP/s of a large matrix product. float32 runs in TF32 on GPUs from Ampere on, as the convolutions do."""
    a, b = (tf.cast(tf.random.normal([size, size]), dtype) for _ in range(2))
    product = tf.function(lambda: tf.reduce_max(tf.matmul(a, b)))
    return 2 * size**3 / 1e12 / seconds_per_call(lambda: tf.cast(product(), tf.float32))


def trained(strategy, batch_size, dim, precision, xla):
    """Seconds per batch of training on one batch in memory. strategy: None for one device."""
    replicas = Replicas(batch_size, strategy, xla)
    with replicas.strategy.scope():
        dcgan = DCGAN(gf_dim=dim, df_dim=dim, precision=precision, xla=xla)
    images = replicas.to_devices(np.zeros([batch_size, 64, 64, 3], np.float32)[replicas.local_rows])
    return seconds_per_call(lambda: replicas.train_step(dcgan, images, 0)[0]["d_loss"])


def from_files(batch_size, dim, precision):
    """Seconds per batch of training from PNG files: in the first epoch, and from the cache in memory."""
    with tempfile.TemporaryDirectory() as folder:
        demo.write_faces(folder, 2 * BATCHES * 64)
        data = ImageData(folder, image_size=64, c_dim=3, batch_size=batch_size, seed=0, cache="on")
        dcgan = DCGAN(gf_dim=dim, df_dim=dim, precision=precision)
        dcgan.train_step(utils.transform(np.zeros([batch_size, 64, 64, 3], np.uint8)))
        seconds = []
        for epoch in range(2):
            began, batches = time.perf_counter(), data.batches_per_epoch
            for images in data.batches(epoch * batches, (epoch + 1) * batches):
                losses = dcgan.train_step(images)
            np.asarray(losses["d_loss"])
            seconds.append((time.perf_counter() - began) / batches)
        return seconds


def main(dim, gflop_per_image, strategy=None, batch_sizes=BATCH_SIZES):
    """Measure and print. gflop_per_image: what the algorithm needs; strategy: of all devices, if several."""
    rates = {dtype: matrix_rate(dtype) for dtype in ("float32", "bfloat16")}
    for dtype, rate in rates.items():
        print(f"matrix product in {dtype}: {rate:.0f} TFLOP/s")
    print("\n| precision | XLA | devices | batch | ms per batch | images/s | of the matrix product's rate |")
    print("|---|---|---|---|---|---|---|")
    groups = [(None, 1)] + ([(strategy, strategy.num_replicas_in_sync)] if strategy else [])
    for precision, xla, (devices, number), batch_size in itertools.product(rates, (False, True), groups, batch_sizes):
        try:
            seconds = trained(devices, batch_size, dim, precision, xla)
            share = gflop_per_image * batch_size / 1e3 / seconds / rates[precision] / number
            measured = f"{1e3 * seconds:.1f} | {batch_size / seconds:,.0f} | {share:.0%}"
        except tf.errors.OpError as error:
            measured = f"failed: {type(error).__name__} | |"
        print(f"| {precision} | {'yes' if xla else 'no'} | {number} | {batch_size} | {measured} |", flush=True)
    for batch_size in (batch_sizes[0], batch_sizes[-1]):
        held = trained(None, batch_size, dim, "bfloat16", False)
        first, later = from_files(batch_size, dim, "bfloat16")
        print(f"input, bfloat16, batch {batch_size}: {1e3 * held:.1f} ms on one batch in memory; from PNG files "
              f"{1e3 * first:.1f} ms in the first epoch, {1e3 * later:.1f} ms later")  # fmt: skip
