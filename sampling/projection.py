"""Projection: the z whose G(z) is nearest to a photo, by completion's search with nothing hidden; and its files."""

import os

import numpy as np
from PIL import Image

import utils
from cli.program import Later
from errors import UserError
from photos import decoding
from sampling import latents
from sampling.completion_files import read_photo, unique_names

inputs, openface = Later("alignment.inputs"), Later("alignment.openface")  # for those who align: they need dlib


def read(paths, dcgan, align=False):
    """Photos as the network's images: uint8 [N, S, S, C]. Raises UserError, also where no face is found to align."""
    if align:
        aligner = openface.AlignDlib()
        return np.stack([read_aligned(path, dcgan, aligner) for path in paths])
    return np.stack([read_photo(path, dcgan.image_size, dcgan.c_dim) for path in paths])


def read_aligned(path, dcgan, aligner):
    """The aligned face in a photo as an image of the network: uint8 [S, S, C]. Raises UserError without a face."""
    try:
        face = aligner.align(dcgan.image_size, inputs.decode(path))
    except decoding.PhotoError as error:
        raise UserError(f"{path}: {error}") from error
    if face is None:
        raise UserError(f"{path}: no face found; give a photo with a larger face, or an aligned one without --align")
    return decoding.pixels_of(Image.fromarray(face), dcgan.c_dim)


def project(search, pixels, advance=lambda iterations: None):
    """Search z for photos, uint8 [N, S, S, C]. Yields (iteration, z [N, z_dim], G(z) [N, S, S, C] uint8) as it goes.

    search: a completion.Search with ProjectionSettings
    advance: as in its `reports`
    """
    everything = np.ones([*pixels.shape[:3], 1], np.float32)
    for iteration, z, generated, *_ in search.reports(utils.transform(pixels), everything, advance):
        yield iteration, z, utils.inverse_transform(generated)


def write(folder, paths, pixels, generated, z):
    """Write NAME.png (photo and picture) and NAME.npz of each into a folder, and all in overview.png and z.npz."""
    os.makedirs(folder, exist_ok=True)
    for i, name in enumerate(unique_names(paths, taken=("z", "overview"))):
        utils.save_image(utils.merge(np.stack([pixels[i], generated[i]]), 2), os.path.join(folder, f"{name}.png"))
        latents.save(os.path.join(folder, f"{name}.npz"), z[i : i + 1])
    pairs = np.stack([pixels, generated], axis=1).reshape(-1, *pixels.shape[1:])
    utils.save_image(utils.merge(pairs, 2 * min(len(pixels), 4)), os.path.join(folder, "overview.png"))
    latents.save(os.path.join(folder, "z.npz"), z)
