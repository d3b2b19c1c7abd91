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


def save_gif(frames, path, seconds=0.08):
    """Write uint8 [N, H, W, C] as a GIF that loops, `seconds` a frame."""
    pictures = [Image.fromarray(frame.squeeze(-1) if frame.shape[-1] == 1 else frame) for frame in frames]
    with whole_file(path) as file:
        pictures[0].save(
            file, format="GIF", save_all=True, append_images=pictures[1:], duration=round(seconds * 1000), loop=0
        )


def arithmetic_figure(columns, around):
    """The figure of face arithmetic, as the DCGAN paper prints it -> uint8 [H, W, C].

    columns: three groups of operands, uint8 [n, S, S, C] each, the last one of each their mean,
    which stands apart below; around: the result and its neighbours [9, S, S, C], which stand at the
    right. Signs between them.
    """
    size, channels = around.shape[1], around.shape[3]
    gap, margin = size // 2, size // 8
    height = max(max(len(column) for column in columns) * size + margin, 3 * size)
    figure = np.full((height, 3 * (size + gap) + 3 * size, channels), 255, np.uint8)
    bottom = height - size
    for k, (column, sign) in enumerate(zip(columns, ("minus", "plus", "equals"))):
        left = k * (size + gap)
        for row, operand in enumerate(column[:-1]):
            figure[row * size : (row + 1) * size, left : left + size] = operand
        figure[bottom:, left : left + size] = column[-1]
        x, y, bar = left + size + gap // 2, bottom + size // 2, max(size // 32, 1)
        if sign != "equals":
            figure[y - bar : y + bar, x - margin : x + margin] = 0
        if sign == "plus":
            figure[y - margin : y + margin, x - bar : x + bar] = 0
        if sign == "equals":
            for line in (y - 3 * bar, y + bar):
                figure[line : line + 2 * bar, x - margin : x + margin] = 0
    figure[height - 3 * size :, 3 * (size + gap) :] = merge(around, 3)
    return figure


def write_text(path, text):
    """Write text as UTF-8, onto the disk itself: what a run stands on must outlive a power cut."""
    with whole_file(path) as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def whole_file(path):
    """A binary file to write, which takes the place of `path` when it is complete, else never.

    Raises OSError, which names the path.
    """
    partial = f"{path}.partial"
    try:
        with open(partial, "wb") as file:
            yield file
        os.replace(partial, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(partial)
        if isinstance(error, OSError) and error.filename is None:  # a write's: the disk is full, say
            error.filename = os.fspath(path)
        raise
