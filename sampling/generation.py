"""Pictures from a trained generator, D's scores of them, and the generator as a SavedModel."""

import numpy as np
import tensorflow as tf

import utils

BATCH = 64  # always, padded, so that a picture's pixels do not depend on how many are drawn


def generate(dcgan, z):
    """z [N, z_dim] -> uint8 [N, image_size, image_size, c_dim], in inference mode."""
    parts = [utils.inverse_transform(dcgan.sample(part))[:rows] for part, rows in _batches(z)]
    return np.concatenate(parts)


def scores(dcgan, z):
    """D's probability that G(z) is real, in inference mode: z [N, z_dim] -> float32 [N]."""

    @tf.function(autograph=False)
    def score(z):
        return dcgan.discriminator(dcgan.sampler(z))[0][:, 0]

    return np.concatenate([score(part).numpy()[:rows] for part, rows in _batches(z)])


def _batches(z):
    """Yield z in parts of BATCH rows, the last one padded, each with the number of rows that count."""
    for start in range(0, len(z), BATCH):
        part = z[start : start + BATCH]
        yield tf.constant(np.pad(part, [(0, BATCH - len(part)), (0, 0)])), len(part)


def export(dcgan, folder):
    """Write the generator as a SavedModel. Its signature maps z [N, z_dim] to images, uint8."""

    class Exported(tf.Module):
        def __init__(self):
            super().__init__()
            self.generator = dcgan.sampler

        @tf.function(input_signature=[tf.TensorSpec([None, dcgan.z_dim], tf.float32, name="z")], autograph=False)
        def __call__(self, z):
            images = tf.round((self.generator(z) + 1.0) * 127.5)
            # Not saturate_cast, which TensorFlow Lite can't convert
            return {"images": tf.cast(tf.minimum(tf.maximum(images, 0.0), 255.0), tf.uint8)}

    exported = Exported()
    tf.saved_model.save(exported, folder, signatures=exported.__call__)
