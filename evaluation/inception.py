"""Inception features for FID, from Keras' InceptionV3 and weights that the user provides."""

import numpy as np
import tensorflow as tf

from errors import UserError

SIZE = 299  # what InceptionV3 takes
IMAGES_AT_A_TIME = 32
LEAST = 2048  # images: with fewer, the covariance of 2,048 features is singular and FID means nothing
PROTOCOL = f"bilinear to {SIZE}x{SIZE} without antialiasing, x / 127.5 - 1, Keras' InceptionV3 before the last layer"


def load(weights):
    """The network: images [N, 299, 299, 3] in [-1, 1] -> [N, 2048].

    weights: a file for Keras' InceptionV3 without its top, or "imagenet" to let Keras download one.
    Raises UserError.
    """
    import keras

    try:
        return keras.applications.InceptionV3(include_top=False, weights=weights, pooling="avg")
    except Exception as error:  # for missing or wrong files, Keras raises errors of many kinds
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"--inception {weights}: no weights of Keras' InceptionV3 without its top ({reason})"
        ) from error


def features(network, images):
    """uint8 [N, H, W, 3 or 1] -> float32 [N, features], through the network that `load` returns."""
    rows = []
    for start in range(0, len(images), IMAGES_AT_A_TIME):
        batch = tf.cast(images[start : start + IMAGES_AT_A_TIME], tf.float32) / 127.5 - 1.0
        batch = tf.repeat(batch, 3, axis=-1) if batch.shape[-1] == 1 else batch
        rows.append(np.asarray(network(tf.image.resize(batch, [SIZE, SIZE]))))
    return np.concatenate(rows)
