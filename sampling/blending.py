"""Filling a photo's hole with generated pixels, with or without a seam, and how close the result is to the photo."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve


def fill(images, generated, masks):
    """The photo where the mask is 1, G(z) where it is 0. All [N, S, S, C or 1]."""
    return masks * images + (1 - masks) * generated


def blend(image, generated, mask):
    """As fill, but without a seam: inside the hole G(z)'s gradients, at its edge the photo's pixels.

    Solves Poisson's equation in the hole (Perez et al., "Poisson Image Editing", 2003). One photo
    [S, S, C], generated [S, S, C], mask [S, S, 1] -> [S, S, C] in [-1, 1].
    """
    size = mask.shape[0]
    hole = mask[..., 0] < 0.5
    number = np.full([size, size], -1)
    number[hole] = np.arange(hole.sum())
    if not hole.any() or hole.all():  # nothing to fill, or no edge to start from
        return fill(image, generated, mask)
    rows, columns, values = [], [], []
    right = np.zeros([hole.sum(), image.shape[2]])
    y, x = np.nonzero(hole)
    here = number[y, x]
    count = np.zeros(len(here))
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        inside = (y + dy >= 0) & (y + dy < size) & (x + dx >= 0) & (x + dx < size)
        near_y, near_x = y[inside] + dy, x[inside] + dx
        count[inside] += 1
        right[inside] += generated[y[inside], x[inside]] - generated[near_y, near_x]
        unknown = hole[near_y, near_x]
        rows.append(here[inside][unknown])
        columns.append(number[near_y, near_x][unknown])
        values.append(-np.ones(unknown.sum()))
        known = np.flatnonzero(inside)[~unknown]
        right[known] += image[near_y[~unknown], near_x[~unknown]]
    rows, columns, values = (np.concatenate([*parts, last]) for parts, last in
                             ((rows, here), (columns, here), (values, count)))  # fmt: skip
    matrix = sparse.csr_matrix((values, (rows, columns)), shape=[len(here)] * 2)
    filled = np.array(image, np.float64)
    filled[hole] = np.stack([spsolve(matrix, channel) for channel in right.T], axis=-1)
    return np.clip(filled, -1, 1).astype(np.float32)


def psnr(a, b, mask=None):
    """Peak signal-to-noise ratio in dB of a against b, both [S, S, C] in [-1, 1].

    mask: [S, S, 1], 0 where they are compared; None: everywhere
    """
    hole = np.broadcast_to(True if mask is None else mask < 0.5, a.shape)
    error = np.mean((a[hole] - b[hole]) ** 2) if hole.any() else 0.0
    return float("inf") if error == 0 else 10 * np.log10(4 / error)  # the range is 2, its square 4
