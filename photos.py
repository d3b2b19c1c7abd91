"""Photos on disk: finding them, and decoding any of them safely. Knows neither TensorFlow nor dlib."""

import contextlib
import os
import warnings

from PIL import ExifTags, Image, ImageOps

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")  # in any letter case
RAW_ENDINGS = (
    ENDINGS
    + tuple(".jpe .jfif .gif .tif .tiff .jp2 .avif .heic .heif .ppm .pgm .pbm .pnm .tga .psd .dng".split())
    + ("",)
)  # of photos as data sets ship them; some have none
# What is decoded, whatever the file's ending says. Not among them: formats that Pillow hands to other
# programs (EPS to Ghostscript), for photos may come from anywhere.
FORMATS = "PNG JPEG BMP WEBP GIF TIFF JPEG2000 AVIF PPM TGA PSD ICO".split()
MAX_PIXELS = 89_478_485  # Pillow's own bound on what may be a decompression bomb


class PhotoError(Exception):
    """A file that does not decode to an image. The message is the reason, without the path."""


def walk_photos(folder, skipped, endings=ENDINGS, leave_out=None):
    """Yield the paths of photos below folder, relative to it, as they are found.

    A folder's own files come first, sorted, then its subfolders. Links are followed, each real
    folder once, so loops end. `skipped` (a Counter) counts by reason what is not yielded. A folder
    that can't be read is skipped, the folder `leave_out` in silence.
    """
    seen = {identity(os.stat(path)) for path in (folder, leave_out) if path}
    pending = [""]
    while pending:
        inner = pending.pop()
        try:
            with os.scandir(os.path.join(folder, inner)) as entries:
                entries = sorted(entries, key=lambda entry: entry.name)
        except PermissionError:
            skipped["folders that may not be read"] += 1
            continue
        subfolders = []
        for entry in entries:
            ending = os.path.splitext(entry.name)[1].lower()
            relative = os.path.join(inner, entry.name)
            if entry.name.startswith("."):
                skipped["hidden"] += 1
            elif entry.is_dir():
                if identity(entry.stat()) not in seen:
                    seen.add(identity(entry.stat()))
                    subfolders.append(relative)
            elif ending not in endings:
                skipped[f"{ending} files" if ending else "files without an ending"] += 1
            elif not entry.is_file():
                skipped["broken links and special files"] += 1
            else:
                yield relative
        pending += reversed(subfolders)


def identity(info):
    """What tells one folder from another, whatever links lead there."""
    return info.st_dev, info.st_ino


def header(file):
    """What the header of a photo (path or binary file) says -> (format, EXIF orientation).

    (None, 1) for what Pillow does not know: another decoder may. The orientation of JPEG and PNG
    is not looked up. Raises PhotoError for more than MAX_PIXELS.
    """
    try:
        with quietly(), Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoError(f"{image.width}x{image.height} pixels, more than {MAX_PIXELS:,}")
            if image.format in ("JPEG", "MPO", "PNG"):
                return image.format, 1
            return image.format, image.getexif().get(ExifTags.Base.Orientation, 1)
    except Image.DecompressionBombError as error:
        raise PhotoError(f"more than {MAX_PIXELS:,} pixels") from error
    except PhotoError:
        raise
    except Exception:  # on a broken file a decoder may raise anything
        return None, 1


@contextlib.contextmanager
def quietly():
    """Without Pillow's warnings of odd metadata; sizes are tested apart."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def open_rgb(path):
    """Decode an image file (path or binary file) as a viewer would show it -> PIL image in mode RGB.

    The first frame, turned upright by its EXIF orientation, from any mode: gray, palette, with
    alpha (dropped, as cv2 does), CMYK, 16-bit (scaled to 8).

    Raises PhotoError if the file is missing, unreadable, no image, truncated, or larger than
    MAX_PIXELS.
    """
    try:
        with quietly(), Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoError(f"{image.width}x{image.height} pixels, more than {MAX_PIXELS:,}")
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):  # 16-bit gray; Pillow clips where we scale
                image = image.convert("I").point(lambda value: value / 257).convert("L")
            return image.convert("RGB")
    except Image.DecompressionBombError as error:
        raise PhotoError(f"more than {MAX_PIXELS:,} pixels") from error
    except PhotoError:
        raise
    except Exception as error:  # on a broken file a decoder may raise anything
        raise PhotoError(_reason(error)) from error


def _reason(error):
    """One line that says why a file does not decode."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image in a format that Pillow reads"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).split("\n")[0] or type(error).__name__


def size_of(path):
    """(width, height) as stored, from the file's header alone. Raises PhotoError."""
    try:
        with quietly(), Image.open(path, formats=FORMATS) as image:
            return image.size
    except Exception as error:  # on a broken file a decoder may raise anything
        raise PhotoError(_reason(error)) from error


def square(image, size, crop=None):
    """Centre crop of a PIL image to a square, then resize to size x size pixels.

    The square's side is `crop` pixels or, if None or larger than the image, the shorter side.
    """
    side = min(image.width, image.height, crop or max(image.size))
    left, top = (image.width - side) // 2, (image.height - side) // 2
    if (side, side) != image.size:
        image = image.crop((left, top, left + side, top + side))
    if side != size:  # bilinear, as the original's scipy.misc.imresize
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return image
