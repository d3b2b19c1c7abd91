"""May a run go on in its folders? Refuses to mix it with another run, and says what has changed since its last part."""

import dataclasses
import glob
import os
import re
import shlex
import tempfile

from errors import UserError
from runs.files import IDENTITY, OUTPUTS, SETTINGS, latest_steps, read_json
from runs.identity import difference, read_summary, share_images

UNNAMED = ("", "aligned", "raw", "images", "faces", "train")  # folders that say nothing of what is in them
PICTURES = ("train_*.png", "real.png")  # what a run writes into --sample_dir
EVENTS = ("events.out.tfevents.*",)  # what TensorFlow writes into --log_dir


def with_listed_widths(config, shapes):
    """config with the widths that `shapes` (saved settings) lists layer by layer: no flag can say them."""
    listed = {name: shapes[name] for name in ("gf_dim", "df_dim") if isinstance(shapes[name], list)}
    not_given = {
        name: widths for name, widths in listed.items() if getattr(config, name) == getattr(type(config), name)
    }
    return dataclasses.replace(config, **not_given)


def check_settings(config, saved, photos):
    """Compare with `saved`, the settings of the run's last part, and print what changed. Raises UserError.

    saved: a dict, or None for a new run
    photos: the images that are there now
    """
    directory = config.checkpoint_dir
    if saved is None:
        if latest_steps(directory):
            raise UserError(f"--checkpoint_dir {directory}: holds checkpoints but no {SETTINGS}; use another folder")
        return
    before = read_summary(directory)
    if not share_images(read_json(directory, IDENTITY, dict), before, photos):
        raise UserError(another_data_set(config, saved))
    defining, changed = config.compare(saved)
    if defining:
        raise UserError(
            f"{directory} holds a run with other settings:\n  "
            + "\n  ".join(defining)
            + "\nto continue that run, give the same settings; to start a new one:\n  "
            + command_in_new_folders(config)
        )
    if before is not None and (what := difference(before, photos.names)):
        changed.append(f"--dataset: {what}; the images come in another order from here on")
    for line in changed:
        print(f"changed since the last run: {line}")


def another_data_set(config, saved):
    """The message for a data set that shares no image with that of the run in the checkpoint folder."""
    return (
        f"--dataset {config.dataset}: has no image of {saved.get('dataset')}, on which the network in "
        f"{config.checkpoint_dir} was trained. To train a new network on it:\n  {command_in_new_folders(config)}\n"
        f"to start from that network's weights (fine-tuning), add: --init_from {shlex.quote(config.checkpoint_dir)}"
    )


def command_in_new_folders(config):
    """The command that trains with these settings as a named run that does not exist yet."""
    parts = [part for part in os.path.abspath(config.dataset).split(os.sep) if part not in UNNAMED]
    name = base = re.sub(r"[^\w.-]", "_", parts[-1] if parts else "run").lstrip(".") or "run"
    number = 2
    while any(os.path.exists(os.path.join(top, name)) for top in OUTPUTS.values()):
        name, number = f"{base}-{number}", number + 1
    words = ["./train-dcgan.py"]
    for field in sorted(dataclasses.fields(config), key=lambda field: field.name != "dataset"):
        value = getattr(config, field.name)
        if value != field.default and field.name not in ("step", *config.outputs()) and not isinstance(value, list):
            words += [f"--{field.name}"] + ([] if value is True else [str(value)])
    return shlex.join([*words, "--name", name])


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
