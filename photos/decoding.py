"""Decoding any photo safely, as a viewer shows it."""

import math
import warnings

import numpy as np
from PIL import ExifTags, Image, ImageOps

# What is decoded, whatever the file's ending says. Formats that Pillow hands to other programs (EPS
# to Ghostscript) are left out, since photos may come from anywhere.
FORMATS = "PNG JPEG BMP WEBP GIF TIFF JPEG2000 AVIF PPM TGA PSD ICO DDS QOI SGI SUN PCX".split()
MAX_PIXELS = 89_478_485  # Pillow's own limit, above which it suspects a decompression bomb

# Warnings of odd metadata and of size: users need neither, and size is checked here
warnings.filterwarnings("ignore", module="PIL")


class PhotoError(Exception):
    """A file that does not decode to an image. The message is the reason, without the path."""


def header(file):
    """What the header of a photo (path or binary file) says -> (format, EXIF orientation).

    (None, 1) for a format that Pillow does not know: another decoder may know it. The orientation of
    JPEG and PNG is not looked up. Raises PhotoError for more than MAX_PIXELS.
    """
    try:
        with Image.open(file, formats=FORMATS) as image:
            _check_size(image)
            if image.format in ("JPEG", "MPO", "PNG"):
                return image.format, 1
            return image.format, image.getexif().get(ExifTags.Base.Orientation, 1)
    except Image.DecompressionBombError as error:
        raise PhotoError(_reason(error)) from error
    except PhotoError:
        raise
    except Exception:  # a decoder may raise anything on a broken file
        return None, 1


def open_rgb(path):
    """Decode an image file (path or binary file) as a viewer shows it -> PIL image in mode RGB.

    Takes the first frame, turned upright by its EXIF orientation, of any mode: gray, palette, alpha
    (dropped, as cv2 does), CMYK, 16-bit (scaled to 8).

    Raises PhotoError if the file is missing, unreadable, not an image, truncated, or larger than
    MAX_PIXELS.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            _check_size(image)
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):  # 16-bit gray, which Pillow would clip
                image = image.convert("I").point(lambda value: value / 257).convert("L")
            return image.convert("RGB")
    except PhotoError:
        raise
    except Exception as error:  # a decoder may raise anything on a broken file
        raise PhotoError(_reason(error)) from error


def load(path, size, c_dim, crop=None):
    """Decode a photo into an image of the networks: uint8 [size, size, c_dim], c_dim 3 or 1. Raises PhotoError."""
    image = square(open_rgb(path), size, crop)
    return np.asarray(image) if c_dim == 3 else np.asarray(image.convert("L"))[..., np.newaxis]


def mode_and_size(path):
    """(mode, (width, height)) as stored, from the file's header alone. Raises PhotoError."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return image.mode, image.size
    except Exception as error:  # a decoder may raise anything on a broken file
        raise PhotoError(_reason(error)) from error


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


def _check_size(image):
    if image.width * image.height > MAX_PIXELS:
        raise PhotoError(f"{image.width}x{image.height} pixels, more than {MAX_PIXELS:,}")


def _reason(error):
    """Why a file does not decode, in one line."""
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAX_PIXELS:,} pixels"
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image, or in a format that this program does not read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, MemoryError):
        return "out of memory"
    return str(error).split("\n")[0] or type(error).__name__
