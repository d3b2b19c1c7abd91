"""What a checkpoint folder holds, read without TensorFlow: settings.json, images.json, and which steps.

Each checkpoint is DCGAN.model-<step>.index and DCGAN.model-<step>.data-00000-of-00001, in
TensorFlow's format (tf.train.load_checkpoint reads it). A folder may hold a TF1 checkpoint of the
original instead.
"""

import glob
import json
import os
import re

from errors import UserError
from runs.settings import DRAWING, SHAPES, NetworkSettings

NAME = "DCGAN.model"  # as in the original
SETTINGS = "settings.json"
IMAGES = "images.json"  # which images train: identity.summary of their names
HELD_OUT = "held_out.json"  # names of the images that are held out
EVALUATIONS = "evaluations.json"  # {step: {name: number}} of --evaluate_every
IDENTITY = "identity.json"  # fingerprints of some of the images that train
JSON_FILES = (SETTINGS, IMAGES, HELD_OUT, EVALUATIONS, IDENTITY)
# What a run writes to, where neither the flag of that name nor --name says otherwise
OUTPUTS = {"checkpoint_dir": "checkpoints", "sample_dir": "samples", "log_dir": "logs"}


def checkpoint_path(directory, step):
    """Prefix of the files of a step's checkpoint."""
    return os.path.join(directory, f"{NAME}-{step}")


def latest_steps(directory):
    """Steps of the checkpoints in a folder, ascending."""
    names = glob.glob(os.path.join(glob.escape(directory), f"{NAME}-*.index"))
    return sorted(int(match[1]) for name in names if (match := re.search(r"-(\d+)\.index$", name)))


def read_json(directory, name, kind):
    """The content of a JSON file beside the checkpoints, a `kind` (dict, list or both); None if there is no file.

    Raises UserError if the file is not readable or holds something else.
    """
    path = os.path.join(directory, name)
    try:
        with open(path, encoding="utf-8-sig") as file:  # editors may put a byte-order mark first
            content = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not readable as JSON ({error}); restore it or use another folder") from error
    if not isinstance(content, kind):
        raise UserError(f"{path}: was not written by this program; restore it or use another folder")
    return content


def read_settings(directory):
    """The settings beside the checkpoints, as a dict; None if there are none. Raises UserError."""
    settings = read_json(directory, SETTINGS, dict)
    if settings is None:
        return None
    path = os.path.join(directory, SETTINGS)
    wrong = [name for name in SHAPES if name not in settings]
    folders = settings.get("folders", [])
    if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
        wrong.append("folders")
    if wrong:
        raise UserError(f"{path}: lacks {', '.join(wrong)}; restore it or use another folder")
    try:
        NetworkSettings(**{name: settings[name] for name in DRAWING if name in settings})
    except (UserError, TypeError) as error:
        raise UserError(f"{path}: {error}; restore it or use another folder") from error
    return settings


def folders_written(directory):
    """The folders that the run there has written samples and logs to. Never read as training images."""
    saved = read_settings(directory) or {}
    return [os.path.join(directory, folder) for folder in saved.get("folders", [])]
