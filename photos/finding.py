"""Finding photos below a folder."""

import collections
import errno
import functools
import importlib.util
import os
import re
import stat

from errors import UserError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")  # in any letter case
HEIC = (".heic", ".heif")  # of iPhones; images where pillow-heif is installed
NOT_PHOTOS = set(
    ".txt .csv .tsv .json .xml .html .md .yaml .mat .npy .npz .pkl .pts .lst .log .db .ini .pdf .doc "
    ".zip .tar .tgz .gz .bz2 .xz .7z .rar .rec .idx .parquet .cls .jsonl .pth "
    ".py .sh .exe .mp4 .avi .mov .mkv .mp3 .wav".split()
)  # endings that lie beside photos in data sets

# What align_faces.py keeps beside the faces: its report, its locks, its settings
ALIGNERS = re.compile(r"report(-\d+-of-\d+)?\.csv|\.report(-\d+-of-\d+)?\.lock|\.settings\.json")


def photos_at(paths):
    """The paths of the photos that arguments of a command stand for: files, and the images in folders.

    The aligner's own files are passed over, as when a shell expands aligned/*. Raises UserError for a folder without
    images, and where nothing is left.
    """
    found, skipped = [], collections.Counter()
    for path in paths:
        if os.path.isdir(path):
            inside = sorted(walk_photos(path, lambda _name, reason: skipped.update([reason])))
            if not inside:
                raise UserError(f"{path}: {no_images(skipped)}")
            found += [os.path.join(path, name) for name in inside]
        elif not ALIGNERS.fullmatch(os.path.basename(path)):
            found.append(path)
    if hint := heic_hint(skipped):
        print(f"warning: not all photos are read{hint}")
    if not found:
        raise UserError(f"{', '.join(paths)}: no photos; give photos, or a folder of photos")
    return found


def no_images(skipped):
    """Why a folder holds no images, in words. skipped: a Counter of the reasons why files are passed over."""
    return f"no images in it (looked for {' '.join(ENDINGS)}, also in subfolders){heic_hint(skipped)}"


def heic_hint(skipped):
    """What helps where photos of iPhones are among the files that are passed over, or nothing."""
    number = sum(skipped[why_no_image("photo" + ending)] for ending in HEIC)
    return f"; HEIC photos ({number:,}) need pillow-heif: pip install pillow-heif" if number else ""


@functools.cache
def is_aligned(folder):
    """Whether a folder holds faces that align_faces.py has aligned: its report lies beside them."""
    return any(map(ALIGNERS.fullmatch, os.listdir(folder or ".")))


def is_image(name):
    """Whether a file's ending is one of ENDINGS, or of HEIC where that can be read."""
    ending = os.path.splitext(name)[1].lower()
    return ending in ENDINGS or (ending in HEIC and reads_heic())


@functools.cache
def reads_heic():
    """Whether pillow-heif is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


def why_no_image(name):
    """Why a file is passed over, by its ending."""
    ending = os.path.splitext(name)[1].lower()
    return f"{ending}, which needs: pip install pillow-heif" if ending in HEIC else ending or "no ending"


def may_be_photo(name):
    """Whether a file may be a photo, by its ending: downloaded files often have odd ones, or none."""
    return os.path.splitext(name)[1].lower() not in NOT_PHOTOS


def walk_photos(folder, skip, wanted=is_image, leave_out=()):
    """Yield the paths of photos below folder, relative to it, as they are found.

    A folder's own files come first, sorted, then its subfolders. Links are followed, but each real
    folder is searched once, so loops end.

    skip: called as skip(path, reason) for what is not yielded
    wanted: tells a photo by its name
    leave_out: folders that are not searched, and not reported
    """
    seen = {identity(os.stat(path)) for path in (folder, *leave_out) if os.path.exists(path)}
    pending = [""]
    while pending:
        inner = pending.pop()
        try:
            with os.scandir(os.path.join(folder, inner)) as entries:
                entries = sorted(entries, key=lambda entry: entry.name)
        except PermissionError as error:  # other errors, of a disk or a network, end the search
            skip(inner, f"folder: {error.strerror.lower()}")
            continue
        subfolders = []
        for entry in entries:
            relative = os.path.join(inner, entry.name)
            if ALIGNERS.fullmatch(entry.name):
                continue
            try:
                info = entry.stat()
            except OSError as error:  # a broken link, a link to itself, a folder that may not be entered
                if error.errno not in (errno.ENOENT, errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG):
                    raise
                skip(relative, "broken link" if entry.is_symlink() else error.strerror.lower())
                continue
            if entry.name.startswith("."):
                skip(relative, "hidden")
            elif stat.S_ISDIR(info.st_mode):
                if identity(info) not in seen:
                    seen.add(identity(info))
                    subfolders.append(relative)
            elif not wanted(entry.name):
                skip(relative, why_no_image(entry.name))
            elif not stat.S_ISREG(info.st_mode):
                skip(relative, "no regular file")
            else:
                yield relative
        pending += reversed(subfolders)


def identity(info):
    """What identifies a folder, whatever links lead there."""
    return info.st_dev, info.st_ino
