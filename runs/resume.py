"""May a run go on in its folders? Refuses to mix it with another run, and says what has changed since its last part."""

import dataclasses
import json
import os
import re
import shlex

import utils
from errors import UserError
from runs.files import HELD_OUT, IDENTITY, IMAGES, OUTPUTS, SETTINGS, latest_steps, read_json
from runs.gallery import is_picture
from runs.identity import difference, fingerprints, read_summary, share_images, summary

UNNAMED = ("", "aligned", "raw", "images", "faces", "train")  # folders that say nothing of what is in them


def with_listed_widths(config, shapes):
    """config with the widths that `shapes` (saved settings, or None) has as lists, unless flags gave others.

    TF1 networks may have such widths, and a flag can't give a list.
    """
    listed = {name: shapes[name] for name in ("gf_dim", "df_dim") if shapes and isinstance(shapes[name], list)}
    return dataclasses.replace(config, **{name: widths for name, widths in listed.items() if is_default(config, name)})


def is_default(config, name):
    """Whether a setting has its default."""
    return getattr(config, name) == getattr(type(config), name)


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
        if field.name in ("step", "xla", *config.outputs()) or isinstance(value, list):
            continue
        if value != field.default:
            words += [f"--{field.name}"] + ([] if value is True else [str(value)])
    return shlex.join([*words, "--name", name])


def check_folders(config, saved):
    """Refuse folders that hold another run's samples or logs. Raises UserError."""
    is_log = re.compile(r"events\.out\.tfevents\.").match
    for name, is_theirs in (("sample_dir", is_picture), ("log_dir", is_log)):
        folder = getattr(config, name)
        own = saved and relative(config, folder) in saved.get("folders", [])
        if not own and os.path.isdir(folder) and any(map(is_theirs, os.listdir(folder))):
            raise UserError(f"--{name} {folder}: holds another run's files; name another folder or move them")


def record(config, saved, photos, held_out):
    """Write what the next part of the run is compared with. saved: the settings of the last part, or None."""
    folders = {relative(config, folder) for folder in (config.sample_dir, config.log_dir)}
    folders |= set((saved or {}).get("folders", []))
    settings = dataclasses.asdict(config)
    del settings["step"], settings["init_from"]  # they apply to this part of the run only
    settings |= dict(dataset=os.path.abspath(config.dataset), folders=sorted(folders))
    files = {IDENTITY: fingerprints(photos), IMAGES: summary(photos.names)}
    files |= {HELD_OUT: list(held_out)} if len(held_out) else {}
    for name, content in {**files, SETTINGS: settings}.items():  # the settings last: they say that all is there
        write_json(config.checkpoint_dir, name, content)


def write_json(directory, name, content):
    """Write a JSON file beside the checkpoints, so that it survives a power cut."""
    utils.write_text(os.path.join(directory, name), json.dumps(content, indent=1) + "\n")


def relative(config, folder):
    """A folder's path from the checkpoints, which stays true when both are moved."""
    return os.path.relpath(folder, config.checkpoint_dir)
