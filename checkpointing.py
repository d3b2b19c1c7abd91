"""Checkpoints of a run: saving, restoring, the settings beside them, and the lock on their folder.

A checkpoint folder holds settings.json and, for each step kept, DCGAN.model-<step>.index and
.data-00000-of-00001 (TensorFlow's format, readable with tf.train.load_checkpoint).
"""

import contextlib
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
from model import DCGAN

NAME = "DCGAN.model"  # as in the original
SETTINGS = "settings.json"
SHAPES = ("image_size", "z_dim", "gf_dim", "df_dim", "c_dim")  # settings that the networks' shapes follow from


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
    except (FileNotFoundError, NotADirectoryError):
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
        with contextlib.suppress(FileNotFoundError):  # of an abandoned course: never its index with our data
            os.remove(self.path(step) + ".index")
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
        step = choose_step(self.directory, step)
        if step:
            read_checkpoint(self.checkpoint, self.path(step)).assert_consumed()
        return step


def choose_step(directory, step=None):
    """`step`, or the newest checkpoint's, 0 if there is none. Raises UserError if `step` is not there."""
    steps = latest_steps(directory)
    if step is not None and step not in steps:
        there = ", ".join(map(str, steps)) or "none"
        raise UserError(f"--step {step}: no such checkpoint in {directory} (there: {there})")
    return step or (steps[-1] if steps else 0)


def read_checkpoint(checkpoint, prefix):
    """Restore trackables from a checkpoint's prefix -> its status. Raises UserError."""
    try:
        status = checkpoint.read(prefix)
        status.assert_existing_objects_matched()
        return status
    except (tf.errors.OpError, ValueError, AssertionError) as error:
        raise UserError(f"{prefix}: does not restore ({str(error).strip().splitlines()[0]})") from error


def load_model(directory, step=None, precision=None):
    """A trained DCGAN from a checkpoint folder, only read -> (dcgan, step).

    The folder is this program's own (its settings are read from settings.json), or one with a TF1
    checkpoint of the original repository (widths are read off the shapes). precision overrides the
    settings' own. Raises UserError.
    """
    if not os.path.isdir(directory):
        raise UserError(f"--checkpoint_dir {directory}: no such folder")
    settings = read_settings(directory)
    if settings is None:
        prefix = tf1_checkpoint(directory)
        dcgan = DCGAN(**tf1_settings(prefix), precision=precision or "float32")
        load_tf1(dcgan, prefix)
        return dcgan, int(re.search(r"\d*$", prefix)[0] or 0)
    keywords = {name: settings[name] for name in SHAPES}
    dcgan = DCGAN(**keywords, precision=precision or settings.get("precision", "float32"))
    step = choose_step(directory, step)
    if not step:
        raise UserError(f"--checkpoint_dir {directory}: no checkpoint in it yet")
    prefix = os.path.join(directory, f"{NAME}-{step}")
    read_checkpoint(tf.train.Checkpoint(dcgan=dcgan), prefix).expect_partial()
    return dcgan, step


def load_weights(dcgan, directory):
    """Set both networks of dcgan from a checkpoint folder of either kind -> the checkpoint's prefix.

    Raises UserError that names what does not fit.
    """
    if not os.path.isdir(directory):
        raise UserError(f"--init_from {directory}: no such folder")
    if read_settings(directory) is None:
        prefix = tf1_checkpoint(directory)
        settings = tf1_settings(prefix)
    else:
        prefix = os.path.join(directory, f"{NAME}-{choose_step(directory)}")
        settings = {name: read_settings(directory)[name] for name in SHAPES}
    different = {name: value for name, value in settings.items() if value != getattr(dcgan, name)}
    if different:
        flags = " ".join(f"--{name} {value}" for name, value in different.items())
        raise UserError(f"--init_from {directory}: is of another network; give {flags}")
    if read_settings(directory) is None:
        load_tf1(dcgan, prefix)
    else:
        networks = tf.train.Checkpoint(generator=dcgan.generator, discriminator=dcgan.discriminator)
        read_checkpoint(tf.train.Checkpoint(dcgan=networks), prefix).expect_partial()
    return prefix


def tf1_checkpoint(directory):
    """Prefix of the newest TF1 checkpoint of the original repository in a folder. Raises UserError."""
    prefix = tf.train.latest_checkpoint(directory)
    if prefix is None:  # without TensorFlow's state file: the newest by its number
        found = glob.glob(os.path.join(glob.escape(directory), "*.index"))
        prefixes = sorted((name[: -len(".index")] for name in found), key=lambda name: (len(name), name))
        prefix = prefixes[-1] if prefixes else None
    if prefix is None:
        raise UserError(f"{directory}: neither {SETTINGS} nor a TF1 checkpoint in it")
    return prefix


def tf1_shapes(prefix):
    """{name: shape} of both networks' variables in a TF1 checkpoint. Raises UserError."""
    try:
        shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError) as error:
        raise UserError(f"{prefix}: does not read as a checkpoint ({str(error).splitlines()[0]})") from error
    return {name: shape for name, shape in shapes.items() if re.match(r"(generator|discriminator)/[^/]+/\w+$", name)}


def tf1_settings(prefix):
    """image_size, z_dim, gf_dim, df_dim and c_dim of a TF1 checkpoint, by its shapes. Raises UserError."""
    shapes = tf1_shapes(prefix)
    layers = sum(re.fullmatch(r"discriminator/d_h\d+_conv/w", name) is not None for name in shapes)
    needed = ["generator/g_h0_lin/Matrix", f"generator/g_h{layers}/w", "discriminator/d_h0_conv/w"]
    missing = [name for name in needed if name not in shapes]
    if missing:
        raise UserError(f"{prefix}: not a DCGAN of the original repository, it lacks " + ", ".join(missing))
    z_dim, (_, _, c_dim, gf_dim) = shapes[needed[0]][0], shapes[needed[1]]
    return dict(image_size=4 * 2**layers, z_dim=z_dim, gf_dim=gf_dim, df_dim=shapes[needed[2]][3], c_dim=c_dim)


def load_tf1(dcgan, prefix):
    """Set both networks from a TF1 checkpoint. Its optimizer state is not there, ours is left new.

    Raises UserError that lists every variable that is missing or of another shape.
    """
    shapes, problems = tf1_shapes(prefix), []
    variables = {v.name.split(":")[0]: v for v in dcgan.generator.variables + dcgan.discriminator.variables}
    for name, variable in sorted(variables.items()):
        if name not in shapes:
            problems.append(f"{name} is missing")
        elif shapes[name] != variable.shape.as_list():
            problems.append(f"{name} is {shapes[name]}, not {variable.shape.as_list()}")
    if problems:
        raise UserError(f"{prefix}: does not fit the network:\n  " + "\n  ".join(problems))
    reader = tf.train.load_checkpoint(prefix)
    for name, variable in variables.items():
        variable.assign(reader.get_tensor(name))
