"""What a checkpoint folder holds, read without TensorFlow: settings.json, images.json, and which steps.

Each checkpoint is DCGAN.model-<step>.index and DCGAN.model-<step>.data-00000-of-00001, in
TensorFlow's format (tf.train.load_checkpoint reads it). A folder may hold a TF1 checkpoint of the
original instead.
"""

import codecs
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
IDENTITY = "identity.json"  # fingerprints of some of them
# What a run writes to, where neither the flag of that name nor --name says otherwise
OUTPUTS = {"checkpoint_dir": "checkpoints", "sample_dir": "samples", "log_dir": "logs"}


def checkpoint_path(directory, step):
    """Prefix of the files of a step's checkpoint."""
    return os.path.join(directory, f"{NAME}-{step}")


def latest_steps(directory):
    """Steps of the checkpoints in a folder, ascending."""
    names = glob.glob(os.path.join(glob.escape(directory), f"{NAME}-*.index"))
    return sorted(int(match[1]) for name in names if (match := re.search(r"-(\d+)\.index$", name)))


def choose_step(directory, step=None):
    """`step`, or that of the newest checkpoint, 0 if there is none. Raises UserError if `step` is missing."""
    return _choose(directory, latest_steps(directory), step)


def _choose(directory, steps, step):
    if step is not None and step not in steps:
        there = ", ".join(map(str, steps)) or "none"
        raise UserError(f"--step {step}: no such checkpoint in {directory} (there: {there})")
    return step or (steps[-1] if steps else 0)


def find_tf1_checkpoint(directory, step=None):
    """Prefix of a TF1 checkpoint in a folder: of that step, or the one that TensorFlow's state file names, or the
    newest. None if there is none. Raises UserError if `step` is missing.

    Of the state file only the name counts: its folder is that of the machine that wrote it.
    """
    names = os.listdir(directory)
    prefixes = {name[: -len(".index")] for name in names if name.endswith(".index")}
    prefixes |= {name for name in names if f"{name}.meta" in names or re.fullmatch(r".*model-\d+", name)}  # TF1's V1
    by_step = {int(re.search(r"\d*$", prefix)[0] or 0): prefix for prefix in sorted(prefixes)}
    if not by_step:
        return None
    chosen = by_step[_choose(directory, sorted(by_step), step)]
    if step is None:
        try:
            with open(os.path.join(directory, "checkpoint"), "rb") as file:
                named = re.search(rb'^model_checkpoint_path: "(.*)"', file.read(), re.MULTILINE)
            name = os.fsdecode(re.split(rb"[/\\]", codecs.escape_decode(named[1])[0])[-1])
            chosen = name if name in prefixes else chosen
        except (OSError, TypeError, ValueError):  # no state file, or not one of TensorFlow's
            pass
    return os.path.join(directory, chosen)


def check_network(directory, step=None):
    """Refuse a folder without a network to draw with, in a moment. Raises UserError, which names the runs here."""
    if not os.path.isdir(directory):
        raise UserError(f"--checkpoint_dir {directory}: no such folder; {_runs_here()}")
    settings = read_settings(directory)
    if settings is None and not find_tf1_checkpoint(directory, step):
        raise UserError(f"--checkpoint_dir {directory}: holds no network; {_runs_here()}")
    if settings is not None and not choose_step(directory, step):
        raise UserError(f"--checkpoint_dir {directory}: no checkpoint in it yet; {_runs_here()}")


def _runs_here(top=OUTPUTS["checkpoint_dir"]):
    """The named runs, in words."""
    folders = sorted(glob.glob(os.path.join(top, "*", "")))
    steps = {os.path.basename(os.path.dirname(folder)): latest_steps(folder) for folder in folders}
    runs = [f"--name {name} (step {there[-1]:,})" for name, there in steps.items() if there]
    return f"there is {', '.join(runs)}" if runs else "train one first, with ./train-dcgan.py"


def read_json(directory, name, kind):
    """The content of a JSON file beside the checkpoints, a `kind` (dict, list or both); None if there is no file.

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
