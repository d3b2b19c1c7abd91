"""Loading a trained network from its checkpoint folder."""

import os
import re

import tensorflow as tf

from errors import DamagedError, UserError
from model import DCGAN
from training import tf1
from training.checkpointing import read_checkpoint
from training.run_folder import SHAPES, checkpoint_path, choose_step, latest_steps, read_settings
from training.settings import CHECKPOINT_FOLDER


def load_model(directory, step=None, precision=None):
    """A trained DCGAN from a checkpoint folder, which is only read -> (dcgan, step).

    directory: a folder of this program, or one with a TF1 checkpoint of the original
    step: which checkpoint; None: the newest
    precision: overrides that of the training

    Raises UserError.
    """
    if not os.path.isdir(directory):
        raise UserError(f"--checkpoint_dir {directory}: no such folder")
    CHECKPOINT_FOLDER.check("--checkpoint_dir", directory)
    settings = read_settings(directory)
    if settings is None:
        return load_tf1_model(directory, precision or "float32")
    keywords = {name: settings[name] for name in SHAPES}
    precision = precision or settings.get("precision", "float32")
    dcgan = DCGAN(**keywords, ema=settings.get("ema"), precision=precision)
    step = choose_step(directory, step)
    if not step:
        raise UserError(f"--checkpoint_dir {directory}: no checkpoint in it yet")
    try:
        read_checkpoint(tf.train.Checkpoint(dcgan=dcgan), checkpoint_path(directory, step), partly=True)
    except DamagedError as error:
        earlier = [other for other in latest_steps(directory) if other < step]
        raise DamagedError(str(error) + (f"; the one before it is of step {earlier[-1]}" if earlier else "")) from error
    return dcgan, step


def load_tf1_model(directory, precision):
    """As load_model, from a TF1 checkpoint: the widths follow from its shapes."""
    prefix = tf1.find_checkpoint(directory)
    dcgan = DCGAN(**tf1.read_shape_settings(prefix), precision=precision)
    tf1.load_weights(dcgan, prefix)
    return dcgan, int(re.search(r"\d*$", prefix)[0] or 0)
