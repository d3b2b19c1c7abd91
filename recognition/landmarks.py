"""dlib's 68 landmarks of face crops, and what can be measured on them.

Crops are aligned faces, so the landmark model is given a fixed rectangle, and dlib's detector only tells whether there
is a face. On LFW as aligned here, the three landmarks that were aligned are found within 0.01 of the crop's side.
Imports dlib in worker processes only.
"""

import concurrent.futures
import functools
import multiprocessing

import numpy as np

from alignment import models
from cli.interruption import leave_signals_to_parent
from cli.machine import cores
from recognition.dlib_features import CROPS_PER_TASK, DETECTOR_BORDER, DETECTOR_SIZE, enlarge

# The box in which dlib would detect the face of an aligned crop: left, top, width and height as shares of the crop's
# side. OpenFace's mean landmarks are given in that box, and an aligned crop is their bounding box.
BOX = (-0.089, -0.207, 1.121, 1.139)
EYES = (slice(36, 42), slice(42, 48))  # of the 68 landmarks
LIPS, CORNERS = [51, 57], [48, 54]  # the middle of the upper and of the lower lip; the mouth's corners


class Landmarks:
    """Finds landmarks in worker processes, which it keeps until it is closed. workers: None: one per core."""

    def __init__(self, workers=None):
        context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
        self.pool = concurrent.futures.ProcessPoolExecutor(workers or cores(), context, leave_signals_to_parent)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.pool.shutdown(cancel_futures=True)

    def find(self, images, detect=True):
        """Crops, uint8 [N, S, S, C] -> landmarks as shares of the crop's side [N, 68, 2], and which show a face [N].

        detect: look for faces; else every crop is taken for one, which is four times as fast
        """
        blocks = [images[start : start + CROPS_PER_TASK] for start in range(0, len(images), CROPS_PER_TASK)]
        parts = list(self.pool.map(functools.partial(_find, detect=detect), blocks))
        points, faces = map(np.concatenate, zip(*parts))
        return points, faces


@functools.cache
def _models():
    import dlib

    return dlib.get_frontal_face_detector(), dlib.shape_predictor(models.find_model())


def _find(crops, detect):
    import dlib

    detector, predictor = _models()
    border = DETECTOR_SIZE * DETECTOR_BORDER / (1 + 2 * DETECTOR_BORDER)
    side = DETECTOR_SIZE - 2 * border
    left, top = border + BOX[0] * side, border + BOX[1] * side
    box = dlib.rectangle(round(left), round(top), round(left + BOX[2] * side), round(top + BOX[3] * side))
    points, faces = [], []
    for crop in crops:
        large = enlarge(crop, DETECTOR_BORDER, DETECTOR_SIZE)
        faces.append(not detect or len(detector(large, 0)) > 0)
        points.append([(point.x, point.y) for point in predictor(large, box).parts()])
    return (np.array(points, np.float32) - border) / side, np.array(faces, bool)


def _distance(points, a, b):
    return np.linalg.norm(points[:, a] - points[:, b], axis=1)


def _between_eyes(points):
    return np.linalg.norm(points[:, EYES[0]].mean(axis=1) - points[:, EYES[1]].mean(axis=1), axis=1)


def mouth_open(points, _images):
    """The gap between the lips, against the distance of the eyes."""
    return _distance(points, 62, 66) / _between_eyes(points)


def smile(points, _images):
    """How far the mouth's corners are up against the middle of the lips, and apart."""
    up = points[:, LIPS, 1].mean(axis=1) - points[:, CORNERS, 1].mean(axis=1)
    return (up + _distance(points, *CORNERS) / 2) / _between_eyes(points)


def turn(points, _images):
    """How far the nose is to the right of the middle of the face, against its width."""
    left, right = points[:, 0, 0], points[:, 16, 0]
    return (points[:, 30, 0] - (left + right) / 2) / (right - left)


def look_up(points, _images):
    """How near the tip of the nose is to the eyes, on the way from them to the upper lip."""
    eyes = (points[:, EYES[0], 1].mean(axis=1) + points[:, EYES[1], 1].mean(axis=1)) / 2
    return (eyes - points[:, 30, 1]) / (points[:, 51, 1] - eyes)


def eyes_open(points, _images):
    """The height of the eyes against their width (Soukupova and Cech 2016)."""
    ratios = []
    for a, b, c, d, e, f in (range(36, 42), range(42, 48)):
        ratios.append((_distance(points, b, f) + _distance(points, c, e)) / (2 * _distance(points, a, d)))
    return sum(ratios)


def _luminance(images):
    """Luminance of images, uint8 [N, S, S, C] -> [N, S, S] from 0 to 1 (ITU-R BT.601)."""
    return images.mean(axis=-1) / 255 if images.shape[-1] == 1 else images @ np.float32([0.299, 0.587, 0.114]) / 255


def brightness(_points, images):
    """The mean luminance."""
    return _luminance(images).mean(axis=(1, 2))


def warmth(_points, images):
    """Red minus blue."""
    return (images[..., 0].astype(np.float32) - images[..., -1]).mean(axis=(1, 2))


def backdrop(_points, images):
    """The luminance of what is left and right of the forehead, minus that of the middle."""
    luminance, side = _luminance(images), images.shape[1]
    middle = luminance[:, side // 4 : -(side // 4), side // 4 : -(side // 4)].mean(axis=(1, 2))
    left, right = luminance[:, : side // 2, : side // 10], luminance[:, : side // 2, -(side // 10) :]
    return (left + right).mean(axis=(1, 2)) / 2 - middle


# What sliders and flags call them, and what more of each one is
MEASURES = {
    "smile": (smile, "smiling"),
    "mouth": (mouth_open, "mouth open"),
    "turn": (turn, "head turned to the right"),
    "up": (look_up, "looking up"),
    "eyes": (eyes_open, "eyes wide open"),
    "light": (brightness, "lighter"),
    "warmth": (warmth, "warmer colours"),
    "backdrop": (backdrop, "background lighter than the face"),
}


def measure(points, images):
    """All MEASURES of crops -> float32 [N, len(MEASURES)]."""
    return np.stack([function(points, images) for function, _ in MEASURES.values()], axis=1).astype(np.float32)
