"""dlib's view of face crops: the 128 features of its recognition network, and whether its detector finds a face.

Imports dlib in worker processes only, one per core.
"""

import concurrent.futures
import importlib.util
import multiprocessing
import os

import numpy as np
from PIL import Image

from alignment import openface
from training.progress import Countdown

CROPS_PER_TASK = 32  # handed to a process at a time
# The edge pixels of a crop are repeated around it, since our faces fill their crops, while dlib's
# detector and network were trained on more of the head. Found by trials on aligned LFW: at these sizes
# the features of real crops differ most, and the detector finds a face in 95 to 97 % of them.
DETECTOR_BORDER, DETECTOR_SIZE = 1 / 4, 288  # of the crop's side, at each edge; pixels in all
NETWORK_BORDER, NETWORK_SIZE = 1 / 10, 150  # 150: what the network takes
PROTOCOL = f"{DETECTOR_BORDER} {DETECTOR_SIZE} {NETWORK_BORDER} {NETWORK_SIZE}"

_models = {}  # of this process


def check_installed():
    """Raise ModuleNotFoundError if dlib or its models are missing, UserError if a model is damaged."""
    openface.find_model(openface.RECOGNITION)
    if importlib.util.find_spec("dlib") is None:
        raise ModuleNotFoundError("No module named 'dlib'", name="dlib")


def extract(images, workers=None, what="faces"):
    """Crops, uint8 [N, H, W, 3] or [N, H, W, 1] -> (features float32 [N, 128], found bool [N]).

    images: any sequence of crops
    workers: processes; None: one per core
    what: the images, in words, for the bar on a terminal

    Raises UserError if a model is damaged, ModuleNotFoundError if it is not installed.
    """
    openface.find_model(openface.RECOGNITION)  # an error comes here, not in a worker
    blocks = [images[start : start + CROPS_PER_TASK] for start in range(0, len(images), CROPS_PER_TASK)]
    context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
    countdown, parts = Countdown(len(images), f"features of {what}"), []
    with concurrent.futures.ProcessPoolExecutor(workers or os.cpu_count(), context) as pool:
        for part in pool.map(_extract_block, blocks):
            parts.append(part)
            countdown.advance(len(part[1]))
    countdown.close()
    features, found = zip(*parts)
    return np.concatenate(features), np.concatenate(found)


def _extract_block(crops):
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
