"""Images as arrays: scaling and grids; and files that appear whole or not at all, or that one process holds."""

import contextlib
import errno
import fcntl
import math
import os
import re
import sys

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
    """N images, uint8 [N, H, W, C] -> one grid [rows * H, columns * W, C], row by row; empty cells are white.

    columns: by default the smallest number whose square is at least N.
    """
    images = np.asarray(images)
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    cells = np.full((rows * columns, height, width, channels), 255, images.dtype)
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
    """Write uint8 [N, H, W, C] as a looping GIF, `seconds` per frame."""
    pictures = [Image.fromarray(frame.squeeze(-1) if frame.shape[-1] == 1 else frame) for frame in frames]
    with whole_file(path) as file:
        pictures[0].save(
            file, format="GIF", save_all=True, append_images=pictures[1:], duration=round(seconds * 1000), loop=0
        )


def write_text(path, text):
    """Write text as UTF-8 and flush it to the disk, so that it survives a power cut."""
    with whole_file(path) as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def whole_file(path):
    """Open a binary file for writing. It replaces `path` when it is complete, and vanishes after an error.

    Until then it has a name of its own, path.XXXXXXXX.partial, so that no other process writes to it. Raises
    OSError, which names the path.
    """
    partial = f"{path}.{os.urandom(4).hex()}.partial"
    try:
        with open(partial, "xb") as file:  # x: refuses what is there already, and links
            yield file
        os.replace(partial, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.remove(partial)
        if isinstance(error, OSError) and error.filename in (None, partial):  # None: a write, as on a full disk
            error.filename, error.filename2 = os.fspath(path), None
        raise


def whole_name(name):
    """The name that a file was to get from whole_file, of what a killed process left of it; else None."""
    match = re.fullmatch(r"(.*?)(\.[0-9a-f]{8})?\.partial", name)
    return match and match[1]


def sync_folder(path):
    """Flush a folder's list of files to the disk, where its file system can. Raises OSError."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF):  # such as SMB shares
            raise
    finally:
        os.close(folder)


def lock(path):
    """Hold a file until it is closed or this process ends -> the open file, or None if another process holds it.

    Makes the file, but does not follow a link. Where the file system has no locks, warns and goes on.
    Raises OSError if it can't be opened.
    """
    file = open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        print(f"warning: {os.path.dirname(path)}: its file system has no locks ({reason}), so nothing "
              "stops a second run there; do not start one", file=sys.stderr)  # fmt: skip
    return file
