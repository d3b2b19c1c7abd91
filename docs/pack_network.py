"""Put a trained network into the project: its weights alone, in float16, without what tells of the photos.

    python -m docs.pack_network checkpoints/lfw networks/faces

What it draws with (the average of G's weights, where there is one) becomes the generator. Kernels and matrices are
rounded to float16, vectors stay float32. The weights are stored by name, as in the original's checkpoints.
"""

import json
import os
import sys

from devices import start

start.set_up()  # imports TensorFlow without its noise

import numpy as np
import tensorflow as tf

import utils
from runs.files import SETTINGS, checkpoint_path
from runs.loading import load_model, settings_of
from runs.network import find_network
from runs.settings import SHAPES


def pack(network, folder):
    """Write a network.Network into a folder -> the bytes of its files."""
    dcgan = load_model(network)
    variables = [*dcgan.sampler.variables, *dcgan.discriminator.variables]
    values = {v.name.split(":")[0]: v.numpy().astype(np.float16 if v.shape.rank > 1 else np.float32) for v in variables}
    os.makedirs(folder, exist_ok=True)
    prefix = checkpoint_path(folder, network.step)
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=list(values), shape_and_slices=[""] * len(values), tensors=list(values.values())
    )
    settings = {name: settings_of(network)[name] for name in SHAPES}
    settings |= dict(ema=None, precision=dcgan.generator.precision)
    utils.write_text(os.path.join(folder, SETTINGS), json.dumps(settings, indent=1) + "\n")
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))


if __name__ == "__main__":
    print(f"{pack(find_network(sys.argv[1]), sys.argv[2]):,} bytes in {sys.argv[2]}")
