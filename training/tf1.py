"""Weights from TF1 checkpoints of the original repository."""

import glob
import os
import re

import tensorflow as tf

from errors import UserError
from training.run_folder import SETTINGS


def find_checkpoint(directory):
    """Prefix of the newest TF1 checkpoint in a folder. Raises UserError."""
    prefix = tf.train.latest_checkpoint(directory)
    if prefix is None:  # without TensorFlow's state file: the newest by its number
        found = glob.glob(os.path.join(glob.escape(directory), "*.index"))
        prefixes = sorted((name[: -len(".index")] for name in found), key=lambda name: (len(name), name))
        prefix = prefixes[-1] if prefixes else None
    if prefix is None:
        raise UserError(f"{directory}: neither {SETTINGS} nor a TF1 checkpoint in it")
    return prefix


def read_shapes(prefix):
    """{name: shape} of both networks' variables in a TF1 checkpoint. Raises UserError."""
    try:
        shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError) as error:
        raise UserError(f"{prefix}: can't be read as a checkpoint ({str(error).splitlines()[0]})") from error
    return {name: shape for name, shape in shapes.items() if re.match(r"(generator|discriminator)/[^/]+/\w+$", name)}


def read_shape_settings(prefix):
    """image_size, z_dim, gf_dim, df_dim and c_dim of a TF1 checkpoint, read from its shapes. Raises UserError."""
    shapes = read_shapes(prefix)
    layers = sum(re.fullmatch(r"discriminator/d_h\d+_conv/w", name) is not None for name in shapes)
    needed = ["generator/g_h0_lin/Matrix", f"generator/g_h{layers}/w", "discriminator/d_h0_conv/w"]
    missing = [name for name in needed if name not in shapes]
    if missing:
        raise UserError(f"{prefix}: not a DCGAN of the original repository, it lacks " + ", ".join(missing))
    z_dim, (_, _, c_dim, gf_dim) = shapes[needed[0]][0], shapes[needed[1]]
    return dict(image_size=4 * 2**layers, z_dim=z_dim, gf_dim=gf_dim, df_dim=shapes[needed[2]][3], c_dim=c_dim)


def load_weights(dcgan, prefix):
    """Set both networks from a TF1 checkpoint. It holds no state for our optimizers, which stay new.

    Raises UserError that lists every variable that is missing or of another shape.
    """
    shapes, problems = read_shapes(prefix), []
    variables = {v.name.split(":")[0]: v for v in dcgan.generator.variables + dcgan.discriminator.variables}
    for name, variable in sorted(variables.items()):
        if name not in shapes:
            problems.append(f"{name} is missing")
        elif shapes[name] != variable.shape.as_list():
            problems.append(f"{name} is {shapes[name]}, not {variable.shape.as_list()}")
    if problems:
        raise UserError(f"{prefix}: does not fit the network:\n  " + "\n  ".join(problems))
    reader = tf.train.load_checkpoint(prefix)
    for name, variable in variables.items():
        variable.assign(reader.get_tensor(name))
