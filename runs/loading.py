"""Loading a trained network: to use it, or to start a new run from its weights."""

import tensorflow as tf

from errors import DamagedError, UserError
from model import DCGAN
from runs import tf1
from runs.checkpoints import read_checkpoint
from runs.files import latest_steps
from runs.settings import DRAWING, SHAPES


def load_model(network, precision=None):
    """The DCGAN of a network.Network. Its folder is only read.

    precision: overrides that of the training

    Raises UserError.
    """
    names = DRAWING if network.settings else SHAPES
    settings = settings_of(network)
    keywords = {name: settings[name] for name in names if name in settings}
    dcgan = DCGAN(**keywords | ({"precision": precision} if precision else {}))
    if tf1.is_by_name(network.prefix):
        tf1.load_weights(dcgan, network.prefix)
        return dcgan
    try:
        read_checkpoint(tf.train.Checkpoint(dcgan=dcgan), network.prefix, partly=True)
    except DamagedError as error:
        earlier = [other for other in latest_steps(network.directory) if other < network.step]
        raise DamagedError(str(error) + (f"; the one before it is of step {earlier[-1]}" if earlier else "")) from error
    return dcgan


def settings_of(network):
    """A network's settings; of a TF1 checkpoint, what its shapes tell. Raises UserError."""
    return network.settings or tf1.read_shape_settings(network.prefix)


def load_initial_weights(dcgan, network):
    """Set both networks of a new run from another one. Raises UserError, naming --init_from, if they do not fit."""
    different = {name: value for name, value in settings_of(network).items() if name in SHAPES}
    different = {name: value for name, value in different.items() if value != getattr(dcgan, name)}
    if different:
        flags = " ".join(
            f"no --{name}" if isinstance(value, list) else f"--{name} {value}" for name, value in different.items()
        )
        raise UserError(f"--init_from {network.directory}: is of another network; give {flags}")
    if tf1.is_by_name(network.prefix):
        tf1.load_weights(dcgan, network.prefix)
    else:
        networks = tf.train.Checkpoint(generator=dcgan.generator, discriminator=dcgan.discriminator)
        read_checkpoint(tf.train.Checkpoint(dcgan=networks), network.prefix, partly=True)
    if dcgan.g_ema:  # starts with G's weights
        for mean, value in zip(dcgan.g_ema.variables, dcgan.generator.variables):
            mean.assign(value)
