"""Latent vectors z: drawn from a seed, kept in files, interpolated."""

import re

import numpy as np

import utils
from errors import UserError


def parse_numbers(text, flag):
    """ "3,7,10-20" -> [3, 7, 10, 11, ..., 20]. Raises UserError, naming the flag."""
    numbers = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last - first > 10**6:
            raise UserError(f"{flag} {text}: must be whole numbers and ranges, such as 3,7,10-20")
        numbers += range(first, last + 1)
    return numbers


def draw(seed, numbers, z_dim):
    """z of the pictures with these numbers: float32 [len(numbers), z_dim], uniform on [-1, 1).

    Each row is a function of the seed and its number alone.
    """
    rows = [np.random.default_rng([seed, i]).uniform(-1, 1, z_dim) for i in numbers]
    return np.array(rows, np.float32).reshape(len(numbers), z_dim)


def save(path, z):
    """Write z [N, z_dim] to an .npz file."""
    with utils.whole_file(path) as file:
        save_to(file, z)


def save_to(file, z):
    """Write z [N, z_dim] as .npz into an open file."""
    np.savez(file, z=z)


def principal_directions(dcgan, n):
    """The directions of z that change the generator's first layer most: float32 [n, z_dim], orthogonal.

    Moving z by one of them changes a picture more than any single number of z does. Each has the length of a typical z.
    There are at most z_dim of them.
    """
    left, _, _ = np.linalg.svd(dcgan.sampler.h0.matrix.numpy(), full_matrices=False)
    return (left.T[:n] * np.sqrt(dcgan.z_dim / 3)).astype(np.float32)  # 1/3 is the variance of uniform on [-1, 1)


def strongest_coordinates(dcgan, z, n):
    """The n coordinates of z [N, z_dim] whose way from -1 to 1 changes the pictures most, the strongest first."""
    changes = []
    for coordinate in range(dcgan.z_dim):
        ends = np.repeat(z, 2, axis=0)
        ends[:, coordinate] = np.tile([-1, 1], len(z))
        pictures = dcgan.sample(ends).numpy().reshape(len(z), 2, -1)
        changes.append(np.abs(pictures[:, 1] - pictures[:, 0]).mean())
    return [int(coordinate) for coordinate in np.argsort(changes)[::-1][:n]]


def group(text, flag, seed, z_dim):
    """z of a group of pictures [N, z_dim]: numbers as in `parse_numbers`, or .npz files. Raises UserError."""
    parts = text.split(",")
    if not any(part.strip().lower().endswith(".npz") for part in parts):
        return draw(seed, parse_numbers(text, flag), z_dim)
    return np.concatenate([load(part.strip(), z_dim, flag) for part in parts])


def load(path, z_dim, flag="--z"):
    """z [N, z_dim] from an .npz file with an array z, such as `save` writes. Raises UserError, naming the flag."""
    try:
        with np.load(path, allow_pickle=False) as arrays:  # a pickle could run code
            z = arrays["z"]
        z = np.asarray(z, np.float32)
    except FileNotFoundError:
        raise UserError(f"{flag} {path}: no such file") from None
    except Exception as error:  # NumPy raises errors of many kinds for other files
        raise UserError(f"{flag} {path}: not an .npz file with an array z of numbers ({error})") from error
    if z.ndim != 2 or z.shape[1] != z_dim or not len(z) or not np.isfinite(z).all():
        raise UserError(f"{flag} {path}: z has the shape {list(z.shape)}; it must be [N, {z_dim}], of finite numbers")
    return z


def lerp(a, b, t):
    """Linear interpolation from a (t = 0) to b (t = 1), exact at both ends."""
    return np.where(t < 1, a + np.float32(t) * (b - a), b)


def slerp(a, b, t):
    """Spherical interpolation from a (t = 0) to b (t = 1), exact at both ends (Shoemake 1985).

    The direction follows the arc. The length changes linearly, since z is not on a sphere.
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
