"""Weights that are stored by name: in TF1 checkpoints of the original repositories, and in networks/faces.

The original's networks differ in two ways. bamos' generator keeps 8 gf_dim channels at 8x8, so the widths are
read layer by layer. And the numbers in names differ (bamos: d_bn0 to d_bn2, d_h4_lin), so layers are
matched by their order.
"""

import contextlib
import re

import numpy as np
import tensorflow as tf

from errors import DamagedError, UserError
from model import layer_widths


@contextlib.contextmanager
def _reading(prefix):
    """A damaged file, at whatever moment TensorFlow notices it, becomes a DamagedError."""
    try:
        yield
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        raise DamagedError(f"{prefix}: can't be read as a checkpoint ({str(error).strip().splitlines()[0]})") from error


def read_shapes(prefix):
    """{name: shape} of both networks' variables in a TF1 checkpoint, without the optimizers'. Raises UserError."""
    with _reading(prefix):
        shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    return {name: shape for name, shape in shapes.items() if re.match(r"(generator|discriminator)/[^/]+/\w+$", name)}


def ordered(names):
    """{(network, kind of layer, variable): [names]}, each list in the order of the layers' numbers."""
    groups = {}
    for name in names:
        network, layer, variable = name.split("/")
        kind = re.sub(r"\d+", "#", layer)
        groups.setdefault((network, kind, variable), []).append((int(re.search(r"\d+|$", layer)[0] or 0), name))
    return {key: [name for _, name in sorted(found)] for key, found in groups.items()}


def read_shape_settings(prefix):
    """image_size, z_dim, gf_dim, df_dim and c_dim of a TF1 checkpoint, read from its shapes. Raises UserError.

    gf_dim and df_dim are lists where a network's widths do not follow from one number.
    """
    shapes = read_shapes(prefix)
    groups = ordered(shapes)
    convs = groups.get(("discriminator", "d_h#_conv", "w"), [])
    transposed = groups.get(("generator", "g_h#", "w"), [])
    matrix = shapes.get("generator/g_h0_lin/Matrix", [0, 0])
    if not convs or len(convs) != len(transposed) or not matrix[0]:
        raise UserError(f"{prefix}: not a DCGAN of the original repositories: it lacks their layers g_h0_lin, g_h1, "
                        "... and as many d_h0_conv, ...")  # fmt: skip
    c_dim, image_size = shapes[transposed[-1]][2], 4 * 2 ** len(convs)
    widths = dict(gf_dim=[shapes[name][3] for name in transposed[::-1]], df_dim=[shapes[name][3] for name in convs])
    for name, found in widths.items():
        if found == layer_widths(image_size, found[0]):
            widths[name] = found[0]
    return dict(image_size=image_size, z_dim=matrix[0], c_dim=c_dim, **widths)


def is_by_name(prefix):
    """Whether a checkpoint holds weights by name, and not in TF2's graph of objects."""
    try:
        return not tf.train.load_checkpoint(prefix).has_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError):  # damaged, which whoever reads it says
        return False


def load_weights(dcgan, prefix):
    """Set both networks from weights by name. The optimizers stay new. Raises UserError.

    They may be stored in float16, as in networks/faces, and become float32.
    """
    shapes = read_shapes(prefix)
    theirs, values = ordered(shapes), {}
    variables = {v.name.split(":")[0]: v for v in dcgan.generator.variables + dcgan.discriminator.variables}
    for key, names in ordered(variables).items():
        found = theirs.get(key, [])
        if [shapes[name] for name in found] != [variables[name].shape.as_list() for name in names]:
            there = ", ".join(f"{name} {shapes[name]}" for name in found) or "nothing"
            raise UserError(f"{prefix}: does not fit the network. It holds {there},\n  where the network has "
                            + ", ".join(f"{name} {variables[name].shape.as_list()}" for name in names))  # fmt: skip
        values |= dict(zip(names, found))
    with _reading(prefix):
        reader = tf.train.load_checkpoint(prefix)
        values = {name: np.float32(reader.get_tensor(found)) for name, found in values.items()}
    for name, value in values.items():
        variables[name].assign(value)
