"""Photos on disk: finding them, and decoding any of them safely. Knows neither TensorFlow nor dlib."""

import math
import os
import stat
import warnings

from PIL import ExifTags, Image, ImageOps

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")  # in any letter case
NOT_PHOTOS = set(
    ".txt .csv .tsv .json .xml .html .md .yaml .mat .npy .npz .pkl .pts .lst .log .db .ini .pdf .doc "
    ".zip .tar .gz .bz2 .xz .7z .rar .py .sh .exe .mp4 .avi .mov .mkv .mp3 .wav".split()
)  # endings that lie beside photos in data sets
# What is decoded, whatever the file's ending says. Not among them: formats that Pillow hands to other
# programs (EPS to Ghostscript), for photos may come from anywhere.
FORMATS = "PNG JPEG BMP WEBP GIF TIFF JPEG2000 AVIF PPM TGA PSD ICO DDS QOI SGI SUN PCX".split()
MAX_PIXELS = 89_478_485  # Pillow's own bound on what may be a decompression bomb

# Not of interest to a user: odd metadata, and sizes, which are tested here
warnings.filterwarnings("ignore", module="PIL")


class PhotoError(Exception):
    """A file that does not decode to an image. The message is the reason, without the path."""


def is_image(name):
    """Whether a file's ending is one of ENDINGS."""
    return os.path.splitext(name)[1].lower() in ENDINGS


def may_be_photo(name):
    """Whether a file may be a photo, by its ending: downloaders leave odd ones, or none."""
    return os.path.splitext(name)[1].lower() not in NOT_PHOTOS


def walk_photos(folder, skip, wanted=is_image, leave_out=()):
    """Yield the paths of photos below folder, relative to it, as they are found.

    A folder's own files come first, sorted, then its subfolders. Links are followed, each real
    folder once, so loops end. `wanted` tells photos by their names. skip(path, reason) is called
    for what is not yielded; the folders in `leave_out` are passed over in silence.
    """
    seen = {identity(os.stat(path)) for path in (folder, *leave_out) if os.path.exists(path)}
    pending = [""]
    while pending:
        inner = pending.pop()
        try:
            with os.scandir(os.path.join(folder, inner)) as entries:
                entries = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            skip(inner, f"folder: {error.strerror.lower()}")
            continue
        subfolders = []
        for entry in entries:
            relative = os.path.join(inner, entry.name)
            try:
                info = entry.stat()
            except OSError as error:  # a broken link, a link to itself, a folder that may not be entered
                skip(relative, "broken link" if entry.is_symlink() else error.strerror.lower())
                continue
            if entry.name.startswith("."):
                skip(relative, "hidden")
            elif stat.S_ISDIR(info.st_mode):
                if identity(info) not in seen:
                    seen.add(identity(info))
                    subfolders.append(relative)
            elif not wanted(entry.name):
                skip(relative, os.path.splitext(entry.name)[1].lower() or "no ending")
            elif not stat.S_ISREG(info.st_mode):
                skip(relative, "no regular file")
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
        with Image.open(file, formats=FORMATS) as image:
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


def open_rgb(path):
    """Decode an image file (path or binary file) as a viewer would show it -> PIL image in mode RGB.

    The first frame, turned upright by its EXIF orientation, from any mode: gray, palette, with
    alpha (dropped, as cv2 does), CMYK, 16-bit (scaled to 8).

    Raises PhotoError if the file is missing, unreadable, no image, truncated, or larger than
    MAX_PIXELS.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise PhotoError(f"{image.width}x{image.height} pixels, more than {MAX_PIXELS:,}")
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):  # 16-bit gray; Pillow clips where we scale
                image = image.convert("I").point(lambda value: value / 257).convert("L")
            return image.convert("RGB")
    except PhotoError:
        raise
    except Exception as error:  # on a broken file a decoder may raise anything
        raise PhotoError(_reason(error)) from error


def _reason(error):
    """One line that says why a file does not decode."""
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAX_PIXELS:,} pixels"
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image, or in a format that is not read here"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, MemoryError):
        return "out of memory"
    return str(error).split("\n")[0] or type(error).__name__


def bad_allowed(share, files):
    """How many of so many files may turn out broken: that share of them, rounded up, but not all."""
    return min(math.ceil(share * files), files - 1)


def mode_and_size(path):
    """(mode, (width, height)) as stored, from the file's header alone. Raises PhotoError."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return image.mode, image.size
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
