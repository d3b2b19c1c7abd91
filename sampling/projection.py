"""Projection: the z whose G(z) is nearest to a photo, by completion's search with nothing hidden; and its files."""

import os

import numpy as np

import utils
from sampling import faces, figures, latents


def project(search, pixels, advance=lambda iterations: None):
    """Search z for photos, uint8 [N, S, S, C]. Yields (iteration, z [N, z_dim], G(z) [N, S, S, C] uint8) as it goes.

    search: a completion.Search with ProjectionSettings
    advance: as in its `reports`
    """
    everything = np.ones([*pixels.shape[:3], 1], np.float32)
    for iteration, z, generated, *_ in search.reports(utils.transform(pixels), everything, advance):
        yield iteration, z, utils.inverse_transform(generated)


def write(folder, paths, pixels, generated, z, captions):
    """Write NAME.png (photo and picture) and NAME.npz of each into a folder, and all in overview.png and z.npz.

    captions: a line on each picture, for the overview
    """
    os.makedirs(folder, exist_ok=True)
    names = faces.unique_names(paths, taken=("z", "overview"))
    for i, name in enumerate(names):
        utils.save_image(utils.merge(np.stack([pixels[i], generated[i]]), 2), os.path.join(folder, f"{name}.png"))
        latents.save(os.path.join(folder, f"{name}.npz"), z[i : i + 1])
    below = [text for pair in zip(names, captions) for text in pair]
    utils.save_image(figures.sheet(np.stack([pixels, generated], axis=1), below), os.path.join(folder, "overview.png"))
    latents.save(os.path.join(folder, "z.npz"), z)
