"""What a checkpoint folder holds, read without TensorFlow: settings.json, images.json, and which steps.

Each checkpoint is DCGAN.model-<step>.index and DCGAN.model-<step>.data-00000-of-00001, in
TensorFlow's format (tf.train.load_checkpoint reads it).
"""

import glob
import json
import os
import re

import utils
from errors import UserError
from training.settings import TrainConfig

NAME = "DCGAN.model"  # as in the original
SETTINGS = "settings.json"
IMAGES = "images.json"  # paths of the training images
SHAPES = ("image_size", "z_dim", "gf_dim", "df_dim", "c_dim")  # the settings that the networks' shapes follow from


def checkpoint_path(directory, step):
    """Prefix of the files of a step's checkpoint."""
    return os.path.join(directory, f"{NAME}-{step}")


def latest_steps(directory):
    """Steps of the checkpoints in a folder, ascending."""
    names = glob.glob(os.path.join(glob.escape(directory), f"{NAME}-*.index"))
    return sorted(int(match[1]) for name in names if (match := re.search(r"-(\d+)\.index$", name)))


def choose_step(directory, step=None):
    """`step`, or that of the newest checkpoint, 0 if there is none. Raises UserError if `step` is missing."""
    steps = latest_steps(directory)
    if step is not None and step not in steps:
        there = ", ".join(map(str, steps)) or "none"
        raise UserError(f"--step {step}: no such checkpoint in {directory} (there: {there})")
    return step or (steps[-1] if steps else 0)


def read_json(directory, name, kind):
    """The content of a JSON file beside the checkpoints, a `kind` (dict or list); None if there is no file.

    Raises UserError if the file is not readable or holds something else.
    """
    path = os.path.join(directory, name)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not readable as JSON ({error}); restore it or use another folder") from error
    if not isinstance(content, kind):
        raise UserError(f"{path}: was not written by this program; restore it or use another folder")
    return content


def write_json(directory, name, content):
    """Write a JSON file beside the checkpoints, whole or not at all."""
    utils.write_text(os.path.join(directory, name), json.dumps(content, indent=1) + "\n")


def read_settings(directory):
    """The settings beside the checkpoints, as a dict; None if there are none. Raises UserError."""
    settings = read_json(directory, SETTINGS, dict)
    if settings is None:
        return None
    path = os.path.join(directory, SETTINGS)
    wrong = [name for name in SHAPES if type(settings.get(name)) is not int]
    folders = settings.get("folders", [])
    if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
        wrong.append("folders")
    if wrong:
        raise UserError(f"{path}: lacks {', '.join(wrong)}; restore it or use another folder")
    try:
        TrainConfig(**{name: settings[name] for name in SHAPES})
    except UserError as error:
        raise UserError(f"{path}: {error}; restore it or use another folder") from error
    return settings


def folders_written(directory):
    """The folders that the run there has written samples and logs to. Never read as training images."""
    saved = read_settings(directory) or {}
    return [os.path.join(directory, folder) for folder in saved.get("folders", [])]
