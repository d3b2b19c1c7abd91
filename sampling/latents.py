"""Latent vectors z: drawn by seed, kept in files, moved between. Knows only NumPy."""

import re

import numpy as np

from errors import UserError


def parse_picks(text, flag):
    """ "3,7,10-20" -> [3, 7, 10, 11, ..., 20]. Raises UserError, naming the flag."""
    picks = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last - first > 10**6:
            raise UserError(f"{flag} {text}: must be whole numbers and ranges, such as 3,7,10-20")
        picks += range(first, last + 1)
    return picks


def draw(seed, picks, z_dim):
    """z of picture i of a seed, for each i in picks: float32 [len(picks), z_dim], uniform on [-1, 1).

    Each row is a function of (seed, i) alone.
    """
    rows = [np.random.default_rng([seed, i]).uniform(-1, 1, z_dim) for i in picks]
    return np.array(rows, np.float32).reshape(len(picks), z_dim)


def save(path, z):
    """Write z [N, z_dim] to an .npz file."""
    import utils

    with utils.whole_file(path) as file:
        np.savez(file, z=z)


def load(path, z_dim):
    """z [N, z_dim] from an .npz file that `save` wrote, or another with an array z. Raises UserError."""
    try:
        with np.load(path, allow_pickle=False) as arrays:  # a pickle could run code
            z = arrays["z"]
        z = np.asarray(z, np.float32)
    except FileNotFoundError:
        raise UserError(f"--z {path}: no such file") from None
    except Exception as error:  # what NumPy raises for a file that is none of its own varies
        raise UserError(f"--z {path}: not an .npz file with an array z of numbers ({error})") from error
    if z.ndim != 2 or z.shape[1] != z_dim or not len(z) or not np.isfinite(z).all():
        raise UserError(f"--z {path}: z has the shape {list(z.shape)}; [N, {z_dim}] of finite numbers is needed")
    return z


def lerp(a, b, t):
    """From a (t = 0) straight to b (t = 1), exact at both ends."""
    return np.where(t < 1, a + np.float32(t) * (b - a), b)


def slerp(a, b, t):
    """From a (t = 0) to b (t = 1) along the arc between them, exact at both ends (Shoemake 1985).

    Of the directions; the length goes straight from one to the other, as z is not on a sphere.
    """
    if t <= 0 or t >= 1:
        return np.array(a if t <= 0 else b)
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    cosine = np.clip(np.dot(a / lengths[0], b / lengths[1]), -1, 1)
    angle = np.arccos(cosine)
    if np.sin(angle) < 1e-6:  # nearly parallel: the arc is a line
        return lerp(a, b, t)
    arc = (np.sin((1 - t) * angle) * a / lengths[0] + np.sin(t * angle) * b / lengths[1]) / np.sin(angle)
    return (arc * ((1 - t) * lengths[0] + t * lengths[1])).astype(np.float32)
