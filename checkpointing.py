"""Checkpoints of a run: saving, restoring, the settings beside them, and the lock on their folder.

A checkpoint folder holds settings.json and, for each step kept, DCGAN.model-<step>.index and
.data-00000-of-00001 (TensorFlow's format, readable with tf.train.load_checkpoint).
"""

import dataclasses
import fcntl
import glob
import json
import os
import re
import shutil
import socket

import tensorflow as tf

import utils
from errors import UserError

NAME = "DCGAN.model"  # as in the original
SETTINGS = "settings.json"


def latest_steps(directory):
    """Steps of the checkpoints in a folder, ascending."""
    names = glob.glob(os.path.join(glob.escape(directory), f"{NAME}-*.index"))
    return sorted(int(match[1]) for name in names if (match := re.search(r"-(\d+)\.index$", name)))


def read_settings(directory):
    """The settings beside the checkpoints, as a dict; None where there are none."""
    path = os.path.join(directory, SETTINGS)
    try:
        with open(path, encoding="utf-8") as file:
            settings = json.load(file)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{path}: not readable as JSON ({error}); restore it or use another folder") from error
    return settings


def write_settings(directory, settings):
    """Write the settings (a dict) beside the checkpoints, whole or not at all."""
    utils.write_text(os.path.join(directory, SETTINGS), json.dumps(settings, indent=2) + "\n")


class Checkpoints:
    """Saves and restores `objects` (trackables by name) in a folder, which it locks.

    Raises UserError if another process holds the folder.
    """

    def __init__(self, directory, max_to_keep, **objects):
        self.directory, self.max_to_keep = directory, max_to_keep
        self.checkpoint = tf.train.Checkpoint(**objects)
        os.makedirs(directory, exist_ok=True)
        self._lock()
        self.staging = os.path.join(directory, ".saving")
        shutil.rmtree(self.staging, ignore_errors=True)  # what a save that died left behind

    def _lock(self):
        """Hold the folder until this process ends, however it ends."""
        path = os.path.join(self.directory, ".lock")
        self.lock = open(path, "a+", encoding="utf-8")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.lock.seek(0)
            holder = self.lock.read().strip() or "another process"
            raise UserError(
                f"--checkpoint_dir {self.directory}: {holder} is training there; "
                "wait for it, stop it, or use another folder"
            ) from None
        self.lock.truncate(0)
        self.lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self.lock.flush()

    def steps(self):
        """Steps of the checkpoints that are there, ascending."""
        return latest_steps(self.directory)

    def path(self, step):
        """Prefix of a step's files."""
        return os.path.join(self.directory, f"{NAME}-{step}")

    def save(self, step):
        """Write a checkpoint and drop old ones beyond max_to_keep. Returns its prefix.

        It is written aside and moved into place, the index last: without it there is none.
        Checkpoints of later steps belong to a course that this run left by --step: they go too.
        """
        os.makedirs(self.staging)
        staged = self.checkpoint.write(os.path.join(self.staging, NAME))
        for path in sorted(glob.glob(f"{glob.escape(staged)}.*")):  # .data-... before .index
            with open(path, "rb") as file:
                os.fsync(file.fileno())
            os.replace(path, self.path(step) + path[len(staged) :])
        os.rmdir(self.staging)
        kept = [kept for kept in self.steps() if kept <= step][-self.max_to_keep :]
        for old in set(self.steps()) - set(kept):
            for path in sorted(glob.glob(f"{glob.escape(self.path(old))}.*"), reverse=True):  # .index first
                os.remove(path)
        self._write_state(kept)
        return self.path(step)

    def _write_state(self, steps):
        """Write the file that tf.train.latest_checkpoint reads. Ours read the folder itself."""
        lines = [f'model_checkpoint_path: "{NAME}-{steps[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{NAME}-{step}"' for step in steps]
        utils.write_text(os.path.join(self.directory, "checkpoint"), "\n".join(lines) + "\n")

    def restore(self, step=None):
        """Restore the newest checkpoint, or that of `step`. Returns its step, 0 if there is none.

        Raises UserError if `step` is not there, or the objects do not fit.
        """
        steps = self.steps()
        if step is not None and step not in steps:
            there = ", ".join(map(str, steps)) or "none"
            raise UserError(f"--step {step}: no such checkpoint in {self.directory} (there: {there})")
        if not steps:
            return 0
        step = step or steps[-1]
        try:
            self.checkpoint.read(self.path(step)).assert_consumed()
        except (tf.errors.OpError, ValueError, AssertionError) as error:
            reason = str(error).strip().split("\n")[0]
            raise UserError(f"{self.path(step)}: does not restore ({reason})") from error
        return step


def settings_of(config):
    """A TrainConfig as the dict that is kept: its folders relative to the checkpoint folder."""
    settings = dataclasses.asdict(config)
    for name in ("sample_dir", "log_dir"):
        settings[name] = os.path.relpath(settings[name], config.checkpoint_dir)
    settings["dataset"] = os.path.abspath(config.dataset)
    del settings["checkpoint_dir"], settings["step"]
    return settings
