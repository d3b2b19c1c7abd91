"""dlib's view of face crops: the 128 features of its recognition network, and whether its detector finds a face.

Imports dlib in worker processes only.
"""

import concurrent.futures
import functools
import importlib.util
import multiprocessing

import numpy as np
from PIL import Image

from alignment import models
from cli.interruption import leave_signals_to_parent
from cli.machine import check_shared_memory, cores
from cli.progress import Progress

CROPS_PER_TASK = 64  # handed to a process, or to the network, at a time
# The edge pixels of a crop are repeated around it, since our faces fill their crops, while dlib's
# detector and network were trained on more of the head. Found by trials on aligned LFW: at these sizes
# the features of real crops differ most, and the detector finds a face in 95 to 97 % of them.
DETECTOR_BORDER, DETECTOR_SIZE = 1 / 4, 288  # of the crop's side, at each edge; pixels in all
NETWORK_BORDER, NETWORK_SIZE = 1 / 10, 150  # 150: what the network takes
PROTOCOL = f"{DETECTOR_BORDER} {DETECTOR_SIZE} {NETWORK_BORDER} {NETWORK_SIZE}"


def check_installed():
    """Raise ModuleNotFoundError if dlib or its models are missing, UserError if they can't be used."""
    check_shared_memory()
    models.find_model(models.RECOGNITION)
    if importlib.util.find_spec("dlib") is None:
        raise ModuleNotFoundError("No module named 'dlib'", name="dlib")


@functools.cache
def network():
    """dlib's recognition network. Raises UserError if its file is damaged, ModuleNotFoundError without it."""
    from recognition.face_network import FaceNetwork  # not on top: it imports TensorFlow

    return FaceNetwork(models.find_model(models.RECOGNITION))


def features(images, what="faces"):
    """Crops, a sequence of uint8 [H, W, 3 or 1] -> float32 [N, 128]. what: the images in words, for the progress."""
    progress, rows = Progress(f"features of {what}", len(images)), []
    for start in range(0, len(images), CROPS_PER_TASK):
        crops = [enlarge(crop, NETWORK_BORDER, NETWORK_SIZE) for crop in images[start : start + CROPS_PER_TASK]]
        rows.append(network().features(crops))
        progress.advance(len(crops))
    progress.close()
    return np.concatenate(rows)


def has_face(images, workers=None, what="faces"):
    """In which crops dlib's detector finds a face -> bool [N]. workers: processes; None: one per core."""
    blocks = [images[start : start + CROPS_PER_TASK] for start in range(0, len(images), CROPS_PER_TASK)]
    context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
    progress, found = Progress(f"detection in {what}", len(images)), []
    with concurrent.futures.ProcessPoolExecutor(workers or cores(), context, leave_signals_to_parent) as pool:
        for part in pool.map(_detect, blocks):
            found += part
            progress.advance(len(part))
    progress.close()
    return np.array(found, bool)


def _detect(crops):
    import dlib

    detector = dlib.get_frontal_face_detector()
    return [len(detector(enlarge(crop, DETECTOR_BORDER, DETECTOR_SIZE), 0)) > 0 for crop in crops]


def enlarge(crop, border, size):
    """A crop [H, W, 3 or 1] with its edge pixels repeated around it, at size x size -> uint8 [size, size, 3]."""
    side = round(size / (1 + 2 * border))
    image = Image.fromarray(np.repeat(crop, 3, -1) if crop.shape[-1] == 1 else np.ascontiguousarray(crop))
    image = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
    before = (size - side) // 2
    around = (before, size - side - before)
    return np.pad(image, [around, around, (0, 0)], mode="edge")
