"""May a run go on in its folders? Refuses to mix it with another run, and says what has changed since its last part."""

import glob
import os
import tempfile

from errors import UserError
from training.run_folder import IMAGES, SETTINGS, latest_steps, read_json

PICTURES = ("train_*.png", "real.png")  # what a run writes into --sample_dir
EVENTS = ("events.out.tfevents.*",)  # what TensorFlow writes into --log_dir


def check_settings(config, saved, paths):
    """Compare with `saved`, the settings of the run's last part, and print what changed. Raises UserError.

    saved: a dict, or None for a new run
    paths: the images that are there now
    """
    directory = config.checkpoint_dir
    if saved is None:
        if latest_steps(directory):
            raise UserError(f"--checkpoint_dir {directory}: holds checkpoints but no {SETTINGS}; use another folder")
        return
    defining, changed = config.compare(saved)
    if defining:
        raise UserError(
            f"{directory} holds a run with other settings:\n  "
            + "\n  ".join(defining)
            + "\nto continue that run, give the same settings; to start a new one, give other folders: "
            + "--checkpoint_dir, --sample_dir and --log_dir"
        )
    before = read_json(directory, IMAGES, list)
    if before is not None and before != paths:
        changed.append(f"--dataset: {difference(before, paths)}; the images come in another order from here on")
    for line in changed:
        print(f"changed since the last run: {line}")


def check_folders(config, saved):
    """Refuse folders that hold another run's samples or logs, and --init_from this very run. Raises UserError."""
    if config.init_from and os.path.realpath(config.init_from) == os.path.realpath(config.checkpoint_dir):
        raise UserError(f"--init_from {config.init_from}: must be another folder than --checkpoint_dir")
    for name, patterns in (("sample_dir", PICTURES), ("log_dir", EVENTS)):
        folder = getattr(config, name)
        own = saved and relative(config, folder) in saved.get("folders", [])
        if not own and any(glob.glob(os.path.join(glob.escape(folder), pattern)) for pattern in patterns):
            raise UserError(f"--{name} {folder}: holds another run's files; name another folder or move them")


def relative(config, folder):
    """A folder's path from the checkpoints, which stays true when both are moved."""
    return os.path.relpath(folder, config.checkpoint_dir)


def make_folder(flag, folder):
    """Make a folder that can be written to. Raises UserError, naming the flag."""
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{flag} {folder}: can't be written to ({error.strerror.lower()})") from error


def difference(before, now):
    """What is gone and what is new between two lists of files, in words."""
    gone, new = sorted(set(before) - set(now)), sorted(set(now) - set(before))
    parts = []
    for paths, what in (gone, "gone"), (new, "new"):
        if paths:
            shown = ", ".join(paths[:3]) + (", …" if paths[3:] else "")
            parts.append(f"{len(paths):,} {'file is' if len(paths) == 1 else 'files are'} {what} ({shown})")
    return f"{len(before):,} images before, {len(now):,} now: " + ", ".join(parts)
