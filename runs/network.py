"""Which trained network a folder holds, found without TensorFlow."""

import codecs
import glob
import os
import re
import time
from collections import namedtuple

from errors import UserError
from runs.files import OUTPUTS, SETTINGS, checkpoint_path, latest_steps, read_settings

YOUNG = 1000  # batches, below which there is a warning
# The network that comes with the project, beside the scripts, for those who have no run yet
INCLUDED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "networks", "faces")


class Network(namedtuple("Network", "directory step prefix settings")):
    """A trained network on the disk: its folder, step, the prefix of its checkpoint's files, and its run's settings.

    The settings are a dict, or None for a TF1 checkpoint of the original.
    """


def find_network(directory, step=None, flag="--checkpoint_dir"):
    """The network in a folder of this program, or in one with a TF1 checkpoint of the original.

    directory: None: checkpoints, or INCLUDED while checkpoints holds no run, named or not
    step: of its checkpoint; None: the newest
    flag: names the folder in messages

    Raises UserError, which names the runs here, where there is no network, or none of that step.
    """
    if directory is None:
        directory = INCLUDED if os.path.isdir(INCLUDED) and not has_runs() else OUTPUTS["checkpoint_dir"]
    if not os.path.isdir(directory):
        raise UserError(f"{flag} {directory}: no such folder; {_runs_here()}")
    settings = read_settings(directory)
    if settings is None:
        prefix = find_tf1_checkpoint(directory, step)
        if prefix is None:
            raise UserError(f"{flag} {directory}: holds no network; {_runs_here()}")
        return Network(directory, int(re.search(r"\d*$", prefix)[0] or 0), prefix, None)
    step = choose_step(directory, latest_steps(directory), step)
    if not step:
        raise UserError(f"{flag} {directory}: no checkpoint in it yet; {_runs_here()}")
    return Network(directory, step, checkpoint_path(directory, step), settings)


def describe(network):
    """Print which network is used: where it is, its step, its data set and its date; and a warning of a young one."""
    settings = network.settings or {}
    if is_included(network.directory):
        mine = f"no run of yours in {OUTPUTS['checkpoint_dir']}; " if not has_runs() else ""
        print(f"{mine}this is the network that comes with the project, networks/faces, step {network.step:,}")
        return
    data = f", trained on {os.path.relpath(settings['dataset'])}" if settings.get("dataset") else ""
    made = [path for path in (f"{network.prefix}.index", network.prefix) if os.path.exists(path)]
    date = f", {time.strftime('%Y-%m-%d %H:%M', time.localtime(os.path.getmtime(made[0])))}" if made else ""
    print(f"network: {network.directory}, step {network.step:,}{data}{date}")
    if settings and network.step < YOUNG:
        print(f"warning: it has trained for {network.step:,} batches only; good faces need thousands")


def is_included(directory):
    """Whether a folder is that of the network that comes with the project."""
    return os.path.realpath(directory) == os.path.realpath(INCLUDED)


def has_runs(top=OUTPUTS["checkpoint_dir"]):
    """Whether a folder, or one in it, holds a run or a network."""
    folders = [top, *glob.glob(os.path.join(top, "*", ""))]
    return any(os.path.isdir(folder) and _holds_run(folder) for folder in folders)


def _holds_run(folder):
    """Whether a folder holds one, be it damaged or not to be read."""
    try:
        return os.path.exists(os.path.join(folder, SETTINGS)) or find_tf1_checkpoint(folder) is not None
    except OSError:
        return False


def choose_step(directory, steps, step=None):
    """`step`, or the last of the steps, 0 if there is none. Raises UserError if `step` is not among them."""
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
    chosen = by_step[choose_step(directory, sorted(by_step), step)]
    if step is None:
        try:
            with open(os.path.join(directory, "checkpoint"), "rb") as file:
                named = re.search(rb'^model_checkpoint_path: "(.*)"', file.read(), re.MULTILINE)
            name = os.fsdecode(re.split(rb"[/\\]", codecs.escape_decode(named[1])[0])[-1])
            chosen = name if name in prefixes else chosen
        except (OSError, TypeError, ValueError):  # no state file, or not one of TensorFlow's
            pass
    return os.path.join(directory, chosen)


def _runs_here(top=OUTPUTS["checkpoint_dir"]):
    """The named runs, in words."""
    folders = sorted(glob.glob(os.path.join(top, "*", "")))
    steps = {os.path.basename(os.path.dirname(folder)): latest_steps(folder) for folder in folders}
    runs = [f"--name {name} (step {there[-1]:,})" for name, there in steps.items() if there]
    return f"there is {', '.join(runs)}" if runs else "train one first, with ./train-dcgan.py"
