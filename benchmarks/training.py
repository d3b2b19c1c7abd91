"""What the benchmarks of the training share: training on one batch and from files, and a large matrix product.

It loads TensorFlow; call start.set_up() before the import.
"""

import itertools
import statistics
import tempfile

import tensorflow as tf

from benchmarks import timing
from devices.replicas import Replicas
from model import DCGAN
from photos import demo
from photos.dataset import ImageData


def on_one_batch(batch_size, dim, precision, strategy=None, xla=False):
    """A function that trains a new network for 64x64 images on one batch, which stays in memory -> d_loss.

    dim: gf_dim and df_dim
    strategy: of tf.distribute; None: one device
    """
    replicas = Replicas(batch_size, strategy, xla)
    with replicas.strategy.scope():
        dcgan = DCGAN(gf_dim=dim, df_dim=dim, precision=precision, xla=xla)
    inputs = held(replicas, dcgan)
    return lambda: train(replicas, dcgan, [inputs])


def held(replicas, dcgan):
    """The inputs of a batch of noise, which stay on the devices."""
    images, z = (timing.noise(replicas.batch_size, *shape) for shape in ((64, 64, 3), (dcgan.z_dim,)))
    return *(replicas.to_devices(rows[replicas.local_rows]) for rows in (images, z)), tf.constant(1.0)


def matrix_product(dtype, side):
    """A function that multiplies two large square matrices.

    float32 runs in TF32 on GPUs from Ampere on, as the convolutions do.
    """
    a, b = (tf.cast(tf.random.normal([side, side]), dtype) for _ in range(2))
    return tf.function(lambda: tf.cast(tf.reduce_max(tf.matmul(a, b)), tf.float32))


def train(replicas, dcgan, batches):
    """Train on batches of inputs, as Replicas.inputs yields them -> the last one's d_loss."""
    for inputs in batches:
        losses, _ = replicas.train_step(dcgan, *inputs)
    return losses["d_loss"]


def pipeline(batch_size, dim, precision, photos):
    """Train on one batch in memory and from PNG files, in turn, an epoch of each at a time, three times.

    Returns median seconds per batch: {"one batch in memory", "from files, first epoch", "from files, later"}.
    photos: how many files
    """
    with tempfile.TemporaryDirectory() as folder:
        demo.write_faces(folder, photos)
        data = ImageData(folder, image_size=64, c_dim=3, batch_size=batch_size, seed=0, cache="on", max_bad=0)
        replicas, n = Replicas(batch_size), data.batches_per_epoch
        xla = bool(tf.config.list_logical_devices("GPU"))  # as train-dcgan.py chooses
        dcgan = DCGAN(gf_dim=dim, df_dim=dim, precision=precision, xla=xla)
        inputs = held(replicas, dcgan)
        train(replicas, dcgan, [inputs])  # compiles
        epochs = (replicas.inputs(dcgan, data, k * n, (k + 1) * n) for k in itertools.count())
        work = {
            "memory": lambda: train(replicas, dcgan, itertools.repeat(inputs, n)),
            "files": lambda: train(replicas, dcgan, next(epochs)),
        }
        seconds = timing.alternate(work, rounds=3, warm_up=0)
    first, *later = seconds["files"]
    names = {"one batch in memory": seconds["memory"], "from files, first epoch": [first], "from files, later": later}
    return {name: statistics.median(values) / n for name, values in names.items()}
