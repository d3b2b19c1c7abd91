"""The faces in the output folder: their names, and a sheet of them."""

import contextlib
import hashlib
import os
import random
import re

import numpy as np

import utils
from photos import decoding


def output_name(relative):
    """Name of a photo's output: a readable and injective function of its path within the input.

    person/001.jpg -> person__001.jpg.png. A separator becomes two underscores; underscores beside a
    separator or another underscore become %5F, and %, ~ and control characters are escaped alike, so
    that no two paths get the same name. A name too long for a file system ends in ~ and a digest.
    """
    escaped = re.sub(r"[%~\x00-\x1f\x7f]", lambda match: f"%{ord(match[0]):02X}", relative.replace(os.sep, "/"))
    escaped = re.sub(r"(?<=[_/])_|_(?=[_/])", "%5F", escaped)
    name = escaped.replace("/", "__")
    if len(os.fsencode(name)) > 200:
        digest = hashlib.sha256(os.fsencode(relative)).hexdigest()[:32]
        name = os.fsencode(name)[:150].decode(errors="ignore") + "~" + digest
    return name + ".png"


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
