"""Loading a trained network from its checkpoint folder."""

import re

import tensorflow as tf

from cli.kinds import CHECKPOINT_FOLDER
from errors import DamagedError
from model import DCGAN
from runs import tf1
from runs.checkpoints import read_checkpoint
from runs.files import (
    DRAWING,
    check_network,
    checkpoint_path,
    choose_step,
    find_tf1_checkpoint,
    latest_steps,
    read_settings,
)


def load_model(directory, step=None, precision=None):
    """A trained DCGAN from a checkpoint folder, which is only read -> (dcgan, step).

    directory: a folder of this program, or one with a TF1 checkpoint of the original
    step: which checkpoint; None: the newest
    precision: overrides that of the training

    Raises UserError.
    """
    CHECKPOINT_FOLDER.check("--checkpoint_dir", directory)
    check_network(directory, step)
    settings = read_settings(directory)
    if settings is None:
        prefix = find_tf1_checkpoint(directory, step)
        dcgan = DCGAN(**tf1.read_shape_settings(prefix), precision=precision or "float32")
        tf1.load_weights(dcgan, prefix)
        return dcgan, int(re.search(r"\d*$", prefix)[0] or 0)
    keywords = {name: settings[name] for name in DRAWING if name in settings}
    dcgan = DCGAN(**keywords | ({"precision": precision} if precision else {}))
    step = choose_step(directory, step)
    try:
        read_checkpoint(tf.train.Checkpoint(dcgan=dcgan), checkpoint_path(directory, step), partly=True)
    except DamagedError as error:
        earlier = [other for other in latest_steps(directory) if other < step]
        raise DamagedError(str(error) + (f"; the one before it is of step {earlier[-1]}" if earlier else "")) from error
    return dcgan, step
