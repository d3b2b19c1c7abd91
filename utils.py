"""Images as arrays: between [0, 255] and [-1, 1], into grids, and files that appear whole or not at all."""

import contextlib
import math
import os

import numpy as np
from PIL import Image


def transform(pixels):
    """uint8 [0, 255] -> float32 [-1, 1] by x / 127.5 - 1, as in the original. Any shape."""
    return pixels.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def inverse_transform(images):
    """float [-1, 1] -> uint8 [0, 255], rounded and clipped. Any shape.

    The original truncated when it saved, which darkens by half a level.
    """
    return np.clip(np.rint((np.asarray(images, np.float32) + 1.0) * 127.5), 0, 255).astype(np.uint8)


def merge(images, columns=None):
    """N images [N, H, W, C] -> one grid [rows * H, columns * W, C], row by row, the rest black.

    columns: by default the smallest number whose square holds N.
    """
    images = np.asarray(images)
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    cells = np.zeros((rows * columns, height, width, channels), images.dtype)
    cells[:n] = images
    grid = cells.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return grid.reshape(rows * height, columns * width, channels)


def save_image(pixels, path):
    """Write uint8 [H, W, 3] or [H, W, 1] as a PNG."""
    if pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    with whole_file(path) as file:
        Image.fromarray(pixels).save(file, format="PNG")


def write_text(path, text):
    """Write text as UTF-8."""
    with whole_file(path) as file:
        file.write(text.encode())


@contextlib.contextmanager
def whole_file(path):
    """A binary file to write, which takes the place of `path` when it is complete, else never."""
    partial = f"{path}.partial"
    try:
        with open(partial, "wb") as file:
            yield file
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(partial)
        raise
