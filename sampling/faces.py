"""Faces of photos: taken out as images of the network, aligned or as the photo's centre, and put back."""

import contextlib
import os
import shlex
from collections import namedtuple

import numpy as np
from PIL import Image
from scipy import ndimage

from cli.program import Later
from errors import UserError
from photos import decoding, finding

cv2 = Later("cv2")
inputs, openface = Later("alignment.inputs"), Later("alignment.openface")  # for those who align: they need dlib
SOFT = 1 / 16  # of the face's side: how far a hole that is put back fades into the photo
LONGEST = 100  # bytes of a photo's name in that of its result


class Face(namedtuple("Face", "path pixels transform")):
    """A photo's path, its face as uint8 [S, S, C], and what takes the photo's (x, y) there, or None for the centre."""


def read(paths, size, c_dim, align=False):
    """The faces of photos as images of a network -> a list of Face. Raises UserError.

    align: find and align the largest face in each; photos without one are named, and left out. Without it, the
    central squares; a hint says so where they are of photos that nobody has aligned.
    """
    if not align:
        faces = [Face(path, centre(path, size, c_dim), None) for path in paths]
        hint_at_alignment(paths, size)
        return faces
    aligner = openface.AlignDlib()
    faces = {path: aligned(path, size, c_dim, aligner) for path in paths}
    without = [path for path, face in faces.items() if face is None]
    if len(without) == len(faces):
        raise UserError(
            f"{', '.join(without[:5])}: no face found; give photos with larger faces, or aligned faces without --align"
        )
    if without:
        print(f"warning: no face found in {', '.join(without)}; left out")
    return [faces[path] for path in paths if faces[path]]


def centre(path, size, c_dim):
    """A photo's central square: uint8 [size, size, c_dim]. Raises UserError."""
    try:
        return decoding.load(path, size, c_dim)
    except decoding.PhotoError as error:
        raise UserError(f"{path}: {error}") from error


def aligned(path, size, c_dim, aligner):
    """The largest face in a photo -> Face, or None without one. aligner: an AlignDlib. Raises UserError."""
    return face_in(path, decode(path), size, c_dim, aligner)


def decode(path):
    """A photo as the aligner sees it: uint8 [H, W, 3], RGB. Raises UserError."""
    try:
        return inputs.decode(path)
    except decoding.PhotoError as error:
        raise UserError(f"{path}: {error}") from error


def face_in(path, photo, size, c_dim, aligner):
    """As `aligned`, of a photo that is decoded."""
    box = aligner.getLargestFaceBoundingBox(photo)
    if box is None:
        return None
    landmarks = aligner.findLandmarks(photo, box)
    pixels = decoding.pixels_of(Image.fromarray(aligner.align(size, photo, box, landmarks)), c_dim)
    return Face(path, pixels, openface.transform(size, landmarks))


def hint_at_alignment(paths, size):
    """Say which photos are larger than the network's images, and not the aligner's."""
    larger = []
    for path in paths:
        with contextlib.suppress(decoding.PhotoError, OSError):  # a pipe, which can be read once
            if min(decoding.mode_and_size(path)[1]) > size and not finding.is_aligned(os.path.dirname(path)):
                larger.append(path)
    if larger:
        which = shlex.quote(larger[0]) + (f" and {len(larger) - 1:,} more" if larger[1:] else "")
        print(f"{which}: not aligned, so the central square is taken, wherever the face is; --align finds the face")


def put_back(face, filled, mask):
    """The photo of an aligned Face with its hole filled: in its place, turned and scaled, with a soft edge.

    filled: the face as uint8 [S, S, C]
    mask: [S, S, 1], 0 in the hole

    Returns uint8 [H, W, C]. Outside the hole and its edge, the photo's pixels are as they were.
    """
    photo = decoding.pixels_of(Image.fromarray(inputs.decode(face.path)), filled.shape[-1]).copy()
    there = dict(M=face.transform, dsize=photo.shape[1::-1])
    drawn = cv2.warpAffine(filled, **there, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT)
    share = cv2.warpAffine(soft(mask[..., 0] == 0), **there, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    inside, drawn = share > 0, drawn.reshape(photo.shape)  # OpenCV drops a last axis of one
    share = share[inside][:, np.newaxis]
    photo[inside] = (share * drawn[inside] + (1 - share) * photo[inside]).round().astype(np.uint8)
    return photo


def soft(hole):
    """How much of the filled face counts: 1 in the hole, fading to 0 around it and at the face's edge.

    hole: bool [S, S] -> float32 [S, S]
    """
    if not hole.any():
        return np.zeros(hole.shape, np.float32)
    width = SOFT * len(hole)
    around = 1 - ndimage.distance_transform_edt(~hole) / width
    to_edge = ndimage.distance_transform_edt(np.pad(np.ones(hole.shape), 1))[1:-1, 1:-1] / width
    return np.minimum(around, to_edge).clip(0, 1).astype(np.float32)


def unique_names(paths, taken=()):
    """The files' names without folder and ending; equal ones, and those taken, get a number: a, a-2, a-3."""
    names = []
    for path in paths:
        name = base = shortened(os.path.splitext(os.path.basename(path))[0])
        number = 1
        while name in names or name in taken:
            number += 1
            name = f"{base}-{number}"
        names.append(name)
    return names


def shortened(name):
    """A name that leaves room for what is added to it: file systems take 255 bytes, and eCryptfs 143."""
    return os.fsencode(name)[:LONGEST].decode(errors="ignore")
