"""Checkpoints: saving and restoring the state of a run, and the lock on their folder."""

import contextlib
import glob
import os
import shutil
import socket

import tensorflow as tf

import utils
from errors import DamagedError, SaveError, UserError, short_reason
from runs.files import JSON_FILES, NAME, SETTINGS, checkpoint_path, latest_steps
from runs.network import choose_step


class Checkpoints:
    """Saves and restores `objects` (trackables by name) in a folder, which it locks.

    read_only: only restores, and neither locks nor saves. Raises UserError if another process holds the folder.
    """

    def __init__(self, directory, max_to_keep, read_only=False, **objects):
        self.directory, self.max_to_keep, self.read_only = directory, max_to_keep, read_only
        self.checkpoint = tf.train.Checkpoint(**objects)
        self.saved = None  # step of this process's last save
        self.best = None  # a step whose checkpoint is kept beside the newest
        self.history = []  # steps that led to the current state; damaged and abandoned checkpoints are not among them
        if read_only:
            return
        os.makedirs(directory, exist_ok=True)
        self._lock()
        self.staging = os.path.join(directory, ".saving")
        self._clear_scraps()

    def _clear_scraps(self):
        """Remove what a killed save left behind: its staging, half-written files, data without an index."""
        shutil.rmtree(self.staging, ignore_errors=True)
        ours, names = (*JSON_FILES, "checkpoint"), os.listdir(self.directory)
        scraps = [os.path.join(self.directory, name) for name in names if utils.whole_name(name) in ours]
        if os.path.exists(os.path.join(self.directory, SETTINGS)):  # else the data is not ours
            complete = {self.path(step) for step in self.steps()}
            data = glob.glob(os.path.join(glob.escape(self.directory), f"{NAME}-*.data-*"))
            scraps += [path for path in data if path.rpartition(".")[0] not in complete]
        for path in scraps:
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)

    def _lock(self):
        """Hold the folder until this process ends, however it ends."""
        path = os.path.join(self.directory, ".lock")
        try:
            self.lock = utils.lock(path)
        except OSError as error:
            raise UserError(f"{path}: can't be locked ({error.strerror.lower()}); remove it") from error
        if self.lock is None:
            with open(path, encoding="utf-8") as file:
                holder = file.read().strip() or "another process"
            raise UserError(
                f"--checkpoint_dir {self.directory}: {holder} is training there; "
                "wait for it, stop it, or use another folder"
            )
        self.lock.truncate(0)
        self.lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self.lock.flush()

    def steps(self):
        """Steps of the checkpoints in the folder, ascending."""
        return latest_steps(self.directory)

    def path(self, step):
        """Prefix of a step's files."""
        return checkpoint_path(self.directory, step)

    def save(self, step):
        """Write a checkpoint and drop old ones beyond max_to_keep. Returns its prefix.

        It is written to a staging folder, flushed to the disk and moved into place, the index last:
        a checkpoint without an index does not count. Damaged checkpoints, and those that a resume
        with --step has abandoned, are removed too. Raises SaveError; older checkpoints are then intact.
        """
        if step == self.saved or self.read_only:
            return self.path(step)
        try:
            self._write(step)
        except (OSError, tf.errors.OpError) as error:
            shutil.rmtree(self.staging, ignore_errors=True)
            remedy = "there is no earlier one; free some space and start again"
            if self.history:
                last = self.path(self.history[-1])
                remedy = f"the last one is {last}; free some space, and the same command continues from there"
            raise SaveError(f"{self.path(step)}: can't be written ({short_reason(error)}); {remedy}") from error
        self.saved = step
        self.history = [*(before for before in self.history if before < step), step]
        self.remove_others()
        return self.path(step)

    def _write(self, step):
        os.makedirs(self.staging)
        staged = self.checkpoint.write(os.path.join(self.staging, NAME))
        files = sorted(glob.glob(f"{glob.escape(staged)}.*"))  # .data-... before .index
        for path in files:
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):  # an index of this step from before a resume with --step
            os.remove(self.path(step) + ".index")
        for path in files:
            os.replace(path, self.path(step) + path[len(staged) :])
        os.rmdir(self.staging)
        utils.sync_folder(self.directory)  # the checkpoint is durable now; older ones may go

    def remove_others(self):
        """Keep the newest checkpoints and the best, remove all others. Raises SaveError."""
        newest = self.history[-self.max_to_keep :]
        self.history = [step for step in self.history if step in newest or step == self.best]
        try:
            self._delete_and_list()
        except OSError as error:
            last = self.path(self.history[-1])
            raise SaveError(
                f"{last} is written, but cleaning up failed: {error.filename}: {error.strerror.lower()}"
            ) from error

    def _delete_and_list(self):
        """Remove all checkpoints outside the history, and write the file that tf.train.latest_checkpoint reads."""
        for old in set(self.steps()) - set(self.history):
            for path in sorted(glob.glob(f"{glob.escape(self.path(old))}.*"), reverse=True):  # .index first
                os.remove(path)
        lines = [f'model_checkpoint_path: "{NAME}-{self.history[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{NAME}-{step}"' for step in self.history]
        utils.write_text(os.path.join(self.directory, "checkpoint"), "\n".join(lines) + "\n")

    def restore(self, step=None):
        """Restore the newest checkpoint that is not damaged, or that of `step`. Returns its step, 0 if there is none.

        Prints which ones are damaged. Raises UserError if `step` is missing or damaged, if all are
        damaged, or if one may not be read.
        """
        self.saved, damage = None, []
        candidates = [choose_step(self.directory, self.steps(), step)] if step is not None else self.steps()[::-1]
        for candidate in candidates:
            try:
                read_checkpoint(self.checkpoint, self.path(candidate))
            except DamagedError as error:
                damage.append(str(error))
                continue
            for line in damage:
                print(line)
            self.history = [kept for kept in self.steps() if kept <= candidate]
            return candidate
        if damage and step is None:
            remedy = "put a copy of one back, or start a new run in another folder"
            damage.insert(0, f"--checkpoint_dir {self.directory}: no checkpoint in it can be restored; {remedy}:")
        if damage:
            raise UserError("\n  ".join(damage))
        return 0


def read_checkpoint(checkpoint, prefix, partly=False):
    """Restore trackables from a checkpoint's prefix. partly: the checkpoint may hold more objects.

    TensorFlow keeps checksums of both files, so a changed bit is noticed. Raises UserError.
    """
    try:
        status = checkpoint.read(prefix)
        status.assert_existing_objects_matched()
        status.expect_partial() if partly else status.assert_consumed()
    except tf.errors.PermissionDeniedError as error:
        raise UserError(f"{prefix}: may not be read (permission denied)") from error
    except (tf.errors.OpError, IndexError) as error:  # IndexError: truncated
        raise DamagedError(f"{prefix}: damaged, it can't be restored ({_first_line(error)})") from error
    except (ValueError, AssertionError) as error:
        raise DamagedError(
            f"{prefix}: of another network or version, it can't be restored ({_first_line(error)})"
        ) from error


def _first_line(error):
    return str(error).strip().splitlines()[0].split(" [Op:")[0]
