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
from errors import DamagedError, SaveError, UserError
from model import DCGAN
from training.settings import CHECKPOINT_FOLDER, TrainConfig

NAME = "DCGAN.model"  # as in the original
SETTINGS = "settings.json"
IMAGES = "images.json"
SHAPES = ("image_size", "z_dim", "gf_dim", "df_dim", "c_dim")  # settings that the networks' shapes follow from


def latest_steps(directory):
    """Steps of the checkpoints in a folder, ascending."""
    names = glob.glob(os.path.join(glob.escape(directory), f"{NAME}-*.index"))
    return sorted(int(match[1]) for name in names if (match := re.search(r"-(\d+)\.index$", name)))


def read_json(directory, name, kind):
    """What a JSON file beside the checkpoints holds, a `kind` (dict or list); None where there is none.

    Raises UserError for a file that can't be read, or holds something else.
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
        raise UserError(f"{path}: not of this program; restore it or use another folder")
    return content


def write_json(directory, name, content):
    """Write a JSON file beside the checkpoints, whole or not at all."""
    utils.write_text(os.path.join(directory, name), json.dumps(content, indent=1) + "\n")


def read_settings(directory):
    """The settings beside the checkpoints, as a dict; None where there are none. Raises UserError."""
    settings = read_json(directory, SETTINGS, dict)
    if settings is not None:
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


class Checkpoints:
    """Saves and restores `objects` (trackables by name) in a folder, which it locks; `read_only`: only restores.

    Raises UserError if another process holds the folder.
    """

    def __init__(self, directory, max_to_keep, read_only=False, **objects):
        self.directory, self.max_to_keep = directory, max_to_keep
        self.checkpoint = tf.train.Checkpoint(**objects)
        self.saved = None  # step of this process' last save
        self.course = []  # steps that led here: none that is damaged, or of a course that was left
        if read_only:
            return
        os.makedirs(directory, exist_ok=True)
        self._lock()
        self.staging = os.path.join(directory, ".saving")
        self._clear_scraps()

    def _clear_scraps(self):
        """Remove what a save that died left behind: its staging, half-written files, data without an index."""
        shutil.rmtree(self.staging, ignore_errors=True)
        scraps = [os.path.join(self.directory, f"{name}.partial") for name in (SETTINGS, IMAGES, "checkpoint")]
        whole = {self.path(step) for step in self.steps()}
        data = glob.glob(os.path.join(glob.escape(self.directory), f"{NAME}-*.data-*"))
        if not os.path.exists(os.path.join(self.directory, SETTINGS)):  # not ours
            data = []
        for path in scraps + [path for path in data if path.rpartition(".")[0] not in whole]:
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)

    def _lock(self):
        """Hold the folder until this process ends, however it ends."""
        path = os.path.join(self.directory, ".lock")
        try:  # never through a link, out of the folder
            self.lock = open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path}: can't be locked ({error.strerror.lower()}); remove it") from error
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
        Damaged ones, and those of a course that this run left by --step, go too.

        Raises SaveError; the checkpoints before are as they were.
        """
        if step == self.saved:
            return self.path(step)
        try:
            self._write(step)
        except (OSError, tf.errors.OpError) as error:
            shutil.rmtree(self.staging, ignore_errors=True)
            if self.course:
                remedy = (
                    f"the last one is {self.path(self.course[-1])}; make room, and the same command goes on from there"
                )
            else:
                remedy = "there is none before it; make room, and start again"
            raise SaveError(f"{self.path(step)}: can't be written ({SaveError.reason(error)}); {remedy}") from error
        self.saved = step
        self.course = [*(before for before in self.course if before < step), step][-self.max_to_keep :]
        try:
            self._drop_others()
        except OSError as error:
            raise SaveError(
                f"{self.path(step)} is written, but not its surroundings: {error.filename}: {error.strerror.lower()}"
            ) from error
        return self.path(step)

    def _write(self, step):
        os.makedirs(self.staging)
        staged = self.checkpoint.write(os.path.join(self.staging, NAME))
        files = sorted(glob.glob(f"{glob.escape(staged)}.*"))  # .data-... before .index
        for path in files:
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):  # of an abandoned course: never its index with our data
            os.remove(self.path(step) + ".index")
        for path in files:
            os.replace(path, self.path(step) + path[len(staged) :])
        os.rmdir(self.staging)
        folder = os.open(self.directory, os.O_RDONLY)
        try:  # on the disk before older ones go
            os.fsync(folder)
        finally:
            os.close(folder)

    def _drop_others(self):
        """Remove all checkpoints that are not of the course, and tell TensorFlow which are."""
        for old in set(self.steps()) - set(self.course):
            for path in sorted(glob.glob(f"{glob.escape(self.path(old))}.*"), reverse=True):  # .index first
                os.remove(path)
        self._write_state(self.course)

    def _write_state(self, steps):
        """Write the file that tf.train.latest_checkpoint reads. Ours read the folder itself."""
        lines = [f'model_checkpoint_path: "{NAME}-{steps[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{NAME}-{step}"' for step in steps]
        utils.write_text(os.path.join(self.directory, "checkpoint"), "\n".join(lines) + "\n")

    def restore(self, step=None):
        """Restore the newest checkpoint that is whole, or that of `step`. Returns its step, 0 if there is none.

        Prints which ones are damaged. Raises UserError if `step` is not there or damaged, none is whole,
        or one may not be read.
        """
        self.saved, damage = None, []
        candidates = [choose_step(self.directory, step)] if step is not None else self.steps()[::-1]
        for candidate in candidates:
            try:
                read_checkpoint(self.checkpoint, self.path(candidate))
            except DamagedError as error:
                damage.append(str(error))
                continue
            print(*damage, sep="\n", end="\n" if damage else "")
            self.course = [kept for kept in self.steps() if kept <= candidate]
            return candidate
        if damage:
            remedy = "put a copy of one back, or start afresh in another folder"
            lines = [f"--checkpoint_dir {self.directory}: no checkpoint in it can be restored; {remedy}:", *damage]
            raise UserError("\n  ".join(damage if step is not None else lines))
        return 0


def choose_step(directory, step=None):
    """`step`, or the newest checkpoint's, 0 if there is none. Raises UserError if `step` is not there."""
    steps = latest_steps(directory)
    if step is not None and step not in steps:
        there = ", ".join(map(str, steps)) or "none"
        raise UserError(f"--step {step}: no such checkpoint in {directory} (there: {there})")
    return step or (steps[-1] if steps else 0)


def read_checkpoint(checkpoint, prefix, partly=False):
    """Restore trackables from a checkpoint's prefix; `partly`: it may hold others besides.

    TensorFlow keeps checksums of both files' contents, so that a changed bit does not go unseen.
    Raises UserError.
    """
    try:
        status = checkpoint.read(prefix)
        status.assert_existing_objects_matched()
        status.expect_partial() if partly else status.assert_consumed()
    except tf.errors.PermissionDeniedError as error:
        raise UserError(f"{prefix}: may not be read (permission denied)") from error
    except (tf.errors.OpError, IndexError) as error:  # IndexError: cut off
        raise DamagedError(f"{prefix}: damaged, it does not restore ({_first_line(error)})") from error
    except (ValueError, AssertionError) as error:
        raise DamagedError(
            f"{prefix}: of another network or version, it does not restore ({_first_line(error)})"
        ) from error


def _first_line(error):
    return str(error).strip().splitlines()[0].split(" [Op:")[0]


def load_model(directory, step=None, precision=None):
    """A trained DCGAN from a checkpoint folder, only read -> (dcgan, step).

    The folder is this program's own (its settings are read from settings.json), or one with a TF1
    checkpoint of the original repository (widths are read off the shapes). precision overrides the
    settings' own. Raises UserError.
    """
    if not os.path.isdir(directory):
        raise UserError(f"--checkpoint_dir {directory}: no such folder")
    if not CHECKPOINT_FOLDER["check"](directory):
        raise UserError(f"--checkpoint_dir {directory}: must be {CHECKPOINT_FOLDER['valid']}")
    settings = read_settings(directory)
    if settings is None:
        prefix = tf1_checkpoint(directory)
        dcgan = DCGAN(**tf1_settings(prefix), precision=precision or "float32")
        load_tf1(dcgan, prefix)
        return dcgan, int(re.search(r"\d*$", prefix)[0] or 0)
    keywords = {name: settings[name] for name in SHAPES}
    precision = precision or settings.get("precision", "float32")
    dcgan = DCGAN(**keywords, ema=settings.get("ema"), precision=precision)
    step = choose_step(directory, step)
    if not step:
        raise UserError(f"--checkpoint_dir {directory}: no checkpoint in it yet")
    prefix = os.path.join(directory, f"{NAME}-{step}")
    try:
        read_checkpoint(tf.train.Checkpoint(dcgan=dcgan), prefix, partly=True)
    except DamagedError as error:
        earlier = [other for other in latest_steps(directory) if other < step]
        raise DamagedError(str(error) + (f"; the one before it is of step {earlier[-1]}" if earlier else "")) from error
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
        read_checkpoint(tf.train.Checkpoint(dcgan=networks), prefix, partly=True)
    if dcgan.g_ema:  # starts as G does
        for mean, value in zip(dcgan.g_ema.variables, dcgan.generator.variables):
            mean.assign(value)
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
