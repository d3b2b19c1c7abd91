"""The faces in the output folder: their names, and a sheet of them."""

import contextlib
import hashlib
import os
import random
import re
import tempfile
import time

import numpy as np

import utils
from photos import decoding
from photos.names import encoded

HOUR = 3600  # seconds
LONGEST = 120  # bytes of a name without its ending: eCryptfs takes 143 in all


def output_name(relative, ignores_case=False):
    """Name of a photo's output: a readable and injective function of its path within the input.

    person/001.jpg -> person__001.jpg.png. A separator becomes two underscores; underscores beside a
    separator or another underscore become %5F, and %, ~, control characters and what some file systems
    refuse are escaped alike, so that no two paths get the same name. A name that is too long ends in ~
    and a digest, and so does each one where the file system ignores case.
    """
    escaped = re.sub(
        r'[%~\x00-\x1f\x7f:?*"<>|\\]', lambda match: f"%{ord(match[0]):02X}", relative.replace(os.sep, "/")
    )
    escaped = re.sub(r"(?<=[_/])_|_(?=[_/])", "%5F", escaped)
    name = encodable(escaped.replace("/", "__"))
    if ignores_case or len(os.fsencode(name)) > LONGEST:
        digest = hashlib.sha256(encoded(relative)).hexdigest()[:32]
        name = os.fsencode(name)[: LONGEST - 33].decode(errors="ignore") + "~" + digest
    return name + ".png"


def encodable(name):
    """A name that the locale can write: other characters, such as Chinese ones in Latin-1, become %uXXXX."""
    try:
        os.fsencode(name)
        return name
    except UnicodeEncodeError as error:
        bad = error.object[error.start]
        return encodable(name.replace(bad, f"%u{ord(bad):04X}"))


def remove_scraps(folder, alone):
    """Remove what killed processes left half written.

    alone: no other process fills the folder; else another shard's may be in work, but no file takes an hour
    """
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with contextlib.suppress(FileNotFoundError):
            if utils.whole_name(name) and (alone or os.stat(path).st_mtime < time.time() - HOUR):
                os.remove(path)


def ignores_case(folder):
    """Whether a.png and A.png are the same file there. Makes a file for a moment."""
    with tempfile.NamedTemporaryFile(prefix=".case", dir=folder) as file:
        head, name = os.path.split(file.name)
        return os.path.exists(os.path.join(head, name.swapcase()))


def write_inspection_sheet(folder, size, path):
    """Write a grid of 64 faces of an output folder as a PNG, drawn at random, but the same each time."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(".png"))
    random.Random(0).shuffle(names)
    faces = []
    for name in names:
        with contextlib.suppress(decoding.PhotoError):
            face = np.asarray(decoding.open_rgb(os.path.join(folder, name)))
            if face.shape == (size, size, 3):  # else it is not ours
                faces.append(face)
        if len(faces) == 64:
            break
    utils.save_image(utils.merge(faces), path)
