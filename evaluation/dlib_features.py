"""What dlib sees in face crops: whether its detector finds a face, and the 128 numbers of its recognition network.

Imports dlib when it is first needed, in processes of its own, one a core.
"""

import concurrent.futures
import multiprocessing
import os

import numpy as np
from PIL import Image
from tqdm import tqdm

from alignment import openface

BLOCK = 32  # crops handed to a process at a time
# Both look at a crop whose border pixels are repeated around it, for faces here fill their crops, and
# dlib's detector and network were trained on more of the head. Found by trying on aligned LFW: at these
# sizes real crops differ most in their 128 numbers, and 95 to 97 % of them are found to be faces.
DETECTOR_BORDER, DETECTOR_SIZE = 1 / 4, 288  # of the crop's side, on each edge; pixels in all
NETWORK_BORDER, NETWORK_SIZE = 1 / 10, 150  # 150: what the network takes
PROTOCOL = f"{DETECTOR_BORDER} {DETECTOR_SIZE} {NETWORK_BORDER} {NETWORK_SIZE}"

_models = {}  # of this process


def look_at(images, workers=None, what="faces"):
    """Crops, uint8 [N, H, W, 3] or [N, H, W, 1] -> (features float32 [N, 128], found bool [N]).

    images may be any sequence of them. Shows a bar on a terminal. Raises UserError if the models are
    not installed.
    """
    openface.find_model(openface.RECOGNITION)  # the error here, not in a worker
    blocks = [images[start : start + BLOCK] for start in range(0, len(images), BLOCK)]
    context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
    with (
        concurrent.futures.ProcessPoolExecutor(workers or os.cpu_count(), context) as pool,
        tqdm(total=len(images), desc=f"looking at {what}", unit="face", disable=None, leave=False) as bar,
    ):
        parts = []
        for part in pool.map(_look_at_block, blocks):
            parts.append(part)
            bar.update(len(part[1]))
    features, found = zip(*parts)
    return np.concatenate(features), np.concatenate(found)


def _look_at_block(crops):
    import dlib

    if not _models:
        _models["network"] = dlib.face_recognition_model_v1(openface.find_model(openface.RECOGNITION))
        _models["detector"] = dlib.get_frontal_face_detector()
    chips = [enlarge(crop, NETWORK_BORDER, NETWORK_SIZE) for crop in crops]
    features = np.array(_models["network"].compute_face_descriptor(chips), np.float32)
    detector = _models["detector"]
    found = [len(detector(enlarge(crop, DETECTOR_BORDER, DETECTOR_SIZE), 0)) > 0 for crop in crops]
    return features.reshape(-1, 128), np.array(found, bool)


def enlarge(crop, border, size):
    """A crop [H, W, 3 or 1] with its edge pixels repeated around it, at size x size -> uint8 [size, size, 3]."""
    side = round(size / (1 + 2 * border))
    image = Image.fromarray(np.repeat(crop, 3, -1) if crop.shape[-1] == 1 else np.ascontiguousarray(crop))
    image = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
    before = (size - side) // 2
    around = (before, size - side - before)
    return np.pad(image, [around, around, (0, 0)], mode="edge")
