"""Projection: the z whose G(z) is nearest to a photo. Completion's search, with nothing hidden."""

import numpy as np

import utils
from sampling import blending


def project(search, pixels, advance=lambda iterations: None):
    """Search z for photos, uint8 [N, S, S, C]. Yields (iteration, z [N, z_dim], G(z) [N, S, S, C] uint8) as it goes.

    search: a completion.Search with ProjectionSettings
    advance: as in its `reports`
    """
    everything = np.ones([*pixels.shape[:3], 1], np.float32)
    for iteration, z, generated, *_ in search.reports(utils.transform(pixels), everything, advance):
        yield iteration, z, utils.inverse_transform(generated)


def psnr(pixels, generated):
    """PSNR in dB of each picture against its photo, both uint8 [N, S, S, C]."""
    nothing = np.zeros([*pixels.shape[1:3], 1], np.float32)
    pairs = zip(utils.transform(generated), utils.transform(pixels))
    return np.array([blending.psnr(a, b, nothing) for a, b in pairs])
