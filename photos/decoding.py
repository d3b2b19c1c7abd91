"""Decoding any photo safely, as a viewer shows it."""

import contextlib
import errno
import functools
import importlib
import io
import math
import os
import re
import warnings
import zlib

import numpy as np
from PIL import ExifTags, Image

# What is decoded, whatever the file's ending says. Formats that Pillow hands to other programs (EPS
# to Ghostscript) are left out, since photos may come from anywhere.
FORMATS = "PNG JPEG BMP WEBP GIF TIFF JPEG2000 AVIF PPM TGA PSD ICO DDS QOI SGI SUN PCX".split()
HEIF = re.compile(rb"....ftyp(heic|heix|hevc|hevx|heim|heis|mif1|msf1)", re.DOTALL)  # how iPhones' photos begin
MAX_PIXELS = 89_478_485  # Pillow's own limit, above which it suspects a decompression bomb
# Errors of a file that last; the others are those of a disk or a network, which may pass
LASTING = {errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}
MOST_REPAIRED = 256 << 20  # bytes of a file that is read as a whole
# What each EXIF orientation asks for: swap height and width, then step through rows and columns
TURNS = {
    1: (False, 1, 1), 2: (False, 1, -1), 3: (False, -1, -1), 4: (False, -1, 1),
    5: (True, 1, 1), 6: (True, 1, -1), 7: (True, -1, -1), 8: (True, -1, 1),
}  # fmt: skip

# Warnings of odd metadata and of size: users need neither, and size is checked here
warnings.filterwarnings("ignore", module="PIL")


class PhotoError(Exception):
    """A file that does not decode to an image. The message is the reason, without the path."""


class PassingError(PhotoError):
    """A photo that could not be read now, though it may be later: the disk or the network failed, not the photo."""


class TooLargeError(PhotoError):
    """A photo of more than MAX_PIXELS."""


def reading_error(error):
    """The PhotoError of an OSError that a file gave when it was opened or read."""
    return (PhotoError if error.errno in LASTING else PassingError)(error.strerror.lower())


def header(file):
    """What the header of a photo (path or binary file) says -> (format, PIL mode, orientation from 1 to 8).

    (None, None, 1) for what Pillow can't read: another decoder may know it. Raises TooLargeError.
    """
    try:
        return _attempt(file, lambda image: (image.format, image.mode, orientation(image)))
    except TooLargeError:
        raise
    except PhotoError:
        return None, None, 1


def orientation(image):
    """How a PIL image is to be turned, by its EXIF or XMP: 1 to 8, 1 where that can't be read."""
    with contextlib.suppress(Exception):  # Pillow raises anything for odd metadata
        value = image.getexif().get(ExifTags.Base.Orientation) or _in_exif(image.info.get("exif", b""))
        return value if value in TURNS else 1
    return 1


def _in_exif(exif):
    """The orientation in EXIF's bytes, 0 if there is none. Pillow 12 does not look behind a damaged entry; 13 does."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "little", b"MM": "big"}.get(tiff[:2], "big")
    number = functools.partial(int.from_bytes, byteorder=order)
    first = number(tiff[4:8])
    for at in range(first + 2, first + 2 + 12 * number(tiff[first : first + 2]), 12):
        if number(tiff[at : at + 2]) == ExifTags.Base.Orientation:
            return number(tiff[at + 8 : at + 10])
    return 0


def turn(pixels, orientation):
    """Pixels [H, W] or [H, W, C] as stored -> upright."""
    swap, vertical, horizontal = TURNS[orientation]
    pixels = pixels.swapaxes(0, 1) if swap else pixels
    return np.ascontiguousarray(pixels[::vertical, ::horizontal])


def open_rgb(file, background=None):
    """Decode a photo (path or binary file) as a viewer shows it -> PIL image in mode RGB.

    Takes the first frame, turned upright, of any mode: gray, palette, alpha, CMYK, 16-bit and float
    (scaled to 8 bits). Alpha is dropped, as cv2 does, or put over a background colour. Odd metadata does not
    matter, but all pixels must be there.

    Raises PhotoError if the file is missing, unreadable, not an image, truncated, or larger than
    MAX_PIXELS.
    """
    return _attempt(file, lambda image: _as_rgb(image, background))


def _as_rgb(image, background):
    image.load()
    turned = orientation(image)
    if image.mode.startswith("I"):  # 16-bit gray, which Pillow would clip
        image = image.convert("I").point(lambda value: value / 257).convert("L")
    elif image.mode == "F" and np.asarray(image).max() <= 1:
        image = image.point(lambda value: value * 255)
    if background and image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, background), image)
    image = image.convert("RGB")
    return image if turned == 1 else Image.fromarray(turn(np.asarray(image), turned))


def _attempt(file, read):
    """read(PIL image) of a photo; if that fails, of its bytes without what no viewer needs. Raises PhotoError."""
    first = None
    for candidate in _candidates(file):
        try:
            with Image.open(candidate, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise TooLargeError(f"{image.width}x{image.height} pixels, more than {MAX_PIXELS:,}")
                return read(image)
        except TooLargeError:
            raise
        except Image.DecompressionBombError as error:
            raise TooLargeError(f"more than {MAX_PIXELS:,} pixels") from error
        except Exception as error:  # a decoder may raise anything on a broken file
            first = first or error
    if isinstance(first, OSError) and first.errno and first.strerror:
        raise reading_error(first) from first
    raise PhotoError(_reason(first, file)) from first


def _candidates(file):
    """Yield a photo, then, as binary files, what a viewer would still show of it."""
    yield file
    try:
        with contextlib.nullcontext(file) if hasattr(file, "read") else open(file, "rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(0)
            content = opened.read() if size <= MOST_REPAIRED else b""
    except OSError:  # the first reason says it
        return
    if not size:
        raise PhotoError("empty")
    if HEIF.match(content) and "HEIF" not in FORMATS:
        with contextlib.suppress(ImportError):  # where it is not installed, _what_else names it
            importlib.import_module("pillow_heif").register_heif_opener()
            FORMATS.append("HEIF")
            yield io.BytesIO(content)
    elif content.startswith(b"\x89PNG"):
        yield io.BytesIO(b"".join(_needed_chunks(content)))
    elif content.startswith(b"\xff\xd8") and not content.endswith(b"\xff\xd9"):
        # Only the end is missing if the pixels are the same, whatever follows
        ends = [io.BytesIO(content + filler + b"\xff\xd9") for filler in (b"", b"\x5a" * 256, b"\xa5" * 256)]
        with contextlib.suppress(Exception):
            decoded = [np.asarray(Image.open(end)) for end in ends]
            if all(np.array_equal(decoded[0], other) for other in decoded[1:]):
                yield ends[0]


def _needed_chunks(png):
    """Yield the parts of a PNG file that its pixels, transparency and orientation are in."""
    yield png[:8]
    start = 8
    while start < len(png):
        end = start + 12 + int.from_bytes(png[start : start + 4], "big")
        kind, chunk = png[start + 4 : start + 8], png[start:end]
        intact = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        if kind[:1].isupper() or kind == b"tRNS" or (kind == b"eXIf" and intact):
            yield chunk
        start = end


def load(path, size, c_dim, crop=None):
    """Decode a photo into an image of the networks: uint8 [size, size, c_dim], c_dim 3 or 1. Raises PhotoError."""
    return pixels_of(square(open_rgb(path), size, crop), c_dim)


def pixels_of(image, c_dim):
    """A PIL image in mode RGB -> uint8 [H, W, c_dim], c_dim 3 or 1 (gray)."""
    return np.asarray(image) if c_dim == 3 else np.asarray(image.convert("L"))[..., np.newaxis]


def mode_and_size(path):
    """(mode, (width, height)) as stored, from the file's header alone. Raises PhotoError."""
    return _attempt(path, lambda image: (image.mode, image.size))


def square(image, size, crop=None):
    """Crop the centre of a PIL image to a square, then resize it to size x size pixels.

    The square's side is `crop` pixels or, if None or larger than the image, the shorter side.
    """
    side = min(image.width, image.height, crop or max(image.size))
    left, top = (image.width - side) // 2, (image.height - side) // 2
    if (side, side) != image.size:
        image = image.crop((left, top, left + side, top + side))
    if side != size:  # bilinear, as the original's scipy.misc.imresize
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return image


def bad_allowed(share, files):
    """How many of so many files may be broken: that share of them, rounded up, but not all."""
    return min(math.ceil(share * files), files - 1)


def _reason(error, file):
    """Why a file does not decode, in one line."""
    if isinstance(error, Image.UnidentifiedImageError):
        return _what_else(file) or "not an image, or in a format that this program does not read"
    if isinstance(error, MemoryError):
        return "out of memory"
    return str(error).split("\n")[0] or type(error).__name__


def _what_else(file):
    """What a file holds in place of a photo, if it is one of the usual things; else None."""
    opened = contextlib.nullcontext(file) if hasattr(file, "read") else open(file, "rb")
    with contextlib.suppress(OSError), opened as binary:
        binary.seek(0)
        start = binary.read(512)
        if HEIF.match(start):
            return "a HEIC photo, which needs the package pillow-heif; type: pip install pillow-heif"
        start = start.lstrip().lower()
        if start.startswith(b"version https://git-lfs"):
            return "a Git LFS pointer in place of the photo; type: git lfs pull"
        if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<error", b'{"')):
            return "a server's answer in place of the photo, such as a web page: the download failed"
    return None
