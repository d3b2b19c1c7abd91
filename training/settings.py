"""The settings of a training run. Each one's name, default, valid values and help text are written here, once.

train-dcgan.py makes its flags from them, run_folder.py keeps them beside the checkpoints, and DCGAN
takes its keywords from them. The kinds of values (`whole`, `real`, ...) serve the flags of the other
scripts too. Imports neither TensorFlow nor NumPy, so that --help is fast.
"""

import dataclasses
import functools
import inspect
import math
import os
import re
from dataclasses import dataclass

from errors import UserError

IMAGE_SIZES = (16, 32, 64, 128, 256)  # 64 is the article's; model.py builds the others by the same rule


@dataclass(frozen=True)
class Kind:
    """A kind of value: how its text is read, which values are valid, and how help texts call it."""

    read: type  # makes a value of a flag's text; raises ValueError
    valid: str  # which values are valid, in words
    is_valid: object  # value -> bool
    metavar: str

    def check(self, flag, value):
        """Raise UserError, naming the flag, unless the value is valid."""
        if not self.is_valid(value):
            raise UserError(f"{flag} {value}: must be {self.valid}")

    def parse(self, flag, text):
        """A flag's text -> its value. Raises UserError, naming the flag."""
        try:
            value = self.read(text)
        except ValueError:
            value = None
        if value is None or not self.is_valid(value):
            raise UserError(f"{flag} {text}: must be {self.valid}")
        return value


def whole(least, most=None):
    """Whole numbers from `least` to `most`."""
    valid = f"a whole number of at least {least}" if most is None else f"a whole number from {least} to {most}"
    return Kind(int, valid, lambda n: n >= least and (most is None or n <= most), "N")


def real(least=-math.inf, below=math.inf):
    """Numbers from `least` up to, but not including, `below`."""
    valid = f"a number of at least {least:g}" if below == math.inf else f"a number from {least:g} to below {below:g}"
    return Kind(float, valid, lambda x: least <= x < below, "X")


def one_of(*choices):
    """One of a few values of one type."""
    names = [str(choice) for choice in choices]
    return Kind(type(choices[0]), "one of " + ", ".join(names), lambda value: value in choices, "|".join(names))


def text(metavar, valid="a text", is_valid=lambda text: True):
    """Any text that `is_valid` accepts."""
    return Kind(str, valid, is_valid, metavar)


def _is_folder_name(name):
    """TensorFlow takes "://" for a remote file system, and only names in UTF-8."""
    return bool(name) and "://" not in name and not re.search("[\ud800-\udfff]", name)


def _are_devices(names):
    """Whether they are devices' names, all of one type and none twice, or a number."""
    parts = names.upper().split(",")
    same_type = re.fullmatch(r"(CPU:\d+,)*CPU:\d+|(GPU:\d+,)*GPU:\d+", ",".join(parts))
    return re.fullmatch("[1-9][0-9]*", names) or (same_type and len(set(parts)) == len(parts))


SIZE = whole(1, 65536)
WIDTH = dataclasses.replace(
    SIZE, is_valid=lambda n: all(map(SIZE.is_valid, n)) if isinstance(n, list) else SIZE.is_valid(n)
)
NAME = text("NAME", "letters, digits, _, - and .", lambda name: re.fullmatch(r"[\w-][\w.-]*", name))
RATE = Kind(float, "a number above 0", lambda x: 0 < x < math.inf, "X")
SHARE = Kind(float, "a number from 0 to 1", lambda x: 0 <= x <= 1, "X")
PART = Kind(float, "a number above 0, at most 1", lambda x: 0 < x <= 1, "X")
DECAY = Kind(float, "a number above 0 and below 1", lambda x: 0 < x < 1, "X")
DEVICES = text("N|NAMES", "a number, or names such as GPU:0,GPU:2 or CPU:0,CPU:1", _are_devices)
FOLDER = text("DIR", "the name of a folder, in UTF-8", _is_folder_name)
CHECKPOINT_FOLDER = text(
    "DIR",
    "the name of a folder, in UTF-8, without [ and \\, which TensorFlow reads as a pattern",
    lambda name: _is_folder_name(name) and not set(name) & set("[\\"),
)


def setting(default, kind, help, *, group, defines=False):
    """A field of TrainConfig. kind: None for a switch.

    defines: the setting is part of what the run is, so a resume with another value is refused.
    """
    return dataclasses.field(default=default, metadata=dict(kind=kind, help=help, group=group, defines=defines))


data, train, network, output = (
    functools.partial(setting, group=group) for group in ("data", "training", "network", "output")
)


@dataclass(frozen=True)
class TrainConfig:
    """The settings of one training run. Raises UserError for an invalid value, naming its flag.

    Names and defaults are those of bamos/dcgan-completion.tensorflow, where it has the setting.
    """

    dataset: str = data(
        "",
        FOLDER,
        "folder of images, searched recursively, or a container of images (.rec, .zip, .tar, "
        ".parquet or .tsv file), or a folder of containers (required)",
    )
    train_size: int = data(None, whole(1), "use the first N images by sorted path (default: all)", defines=True)
    hold_out: int = data(
        None, whole(1), "keep about N photos out of training, as whole persons, for evaluate.py", defines=True
    )
    partition: str = data(
        None, one_of("train", "val", "test"), "train on this part of CelebA's list_eval_partition, a file in the "
        "folder of the images or one above", defines=True)  # fmt: skip
    crop: int = data(
        None, whole(1), "crop the central N pixels before resizing: 108 for CelebA, 128 for LFW as downloaded "
        "(default: the largest square)", defines=True)  # fmt: skip
    flip: bool = data(False, None, "mirror each image at random, anew in each epoch", defines=True)
    cache: str = data(
        "auto", one_of("auto", "on", "off"), "keep decoded images in memory: auto (up to a quarter of the free "
        "memory), on (all) or off")  # fmt: skip
    max_bad: float = data(0.01, SHARE, "stop when more than this share of the files is broken")

    epoch: int = train(25, whole(1), "passes over the data, those before a resume included")
    batch_size: int = train(64, SIZE, "images per batch", defines=True)
    learning_rate: float = train(2e-4, RATE, "learning rate of both Adam optimizers")
    d_learning_rate: float = train(None, RATE, "the discriminator's learning rate (default: --learning_rate)")
    g_learning_rate: float = train(None, RATE, "the generator's learning rate (default: --learning_rate)")
    lr_decay: float = train(
        None,
        PART,
        "let the learning rates fall to 0 over this last share of the run, such as 0.5 (default: no)",
    )
    beta1: float = train(0.5, real(0, 1), "decay rate of Adam's first moment")
    g_steps: int = train(2, whole(1), "generator updates per discriminator update")
    ema: float = train(
        None, DECAY, "draw samples with a moving average of the generator's weights, with this decay; 0.999 gives "
        "better faces (default: no average, as in the original)", defines=True)  # fmt: skip
    seed: int = train(
        0, whole(0, 2**31 - 1), "seed of the initial weights, z, the order of images and mirroring", defines=True
    )
    precision: str = train(
        "float32", one_of("float32", "bfloat16", "auto"), "number format of convolutions and matrix products; auto is "
        "bfloat16 on a CPU that multiplies it in hardware, else float32")  # fmt: skip
    xla: bool = train(False, None, "compile the update with XLA, for a GPU; slower on a CPU")
    devices: str = train(
        None, DEVICES, "how many GPUs to use, or which, such as GPU:0,GPU:2 (default: all; CPU:0,CPU:1 are two logical "
        "devices, for a trial)")  # fmt: skip
    init_from: str = train(
        None, FOLDER, "start a new run from the weights in this folder: another run's, or a TF1 checkpoint of the "
        "original")  # fmt: skip
    deterministic: bool = train(False, None, "make runs repeat bit for bit; on a CPU this costs next to nothing")

    image_size: int = network(64, one_of(*IMAGE_SIZES), "height and width of the images in pixels", defines=True)
    c_dim: int = network(3, one_of(1, 3), "channels: 3 for colour, 1 for gray", defines=True)
    z_dim: int = network(100, SIZE, "length of z", defines=True)
    gf_dim: int = network(64, WIDTH, "width of the generator's last hidden layer", defines=True)
    df_dim: int = network(64, WIDTH, "width of the discriminator's first layer", defines=True)

    checkpoint_dir: str = output(
        "checkpoints", CHECKPOINT_FOLDER, "folder for checkpoints; the same command resumes there"
    )
    sample_dir: str = output("samples", FOLDER, "folder for sample grids")
    log_dir: str = output("logs", FOLDER, "folder for TensorBoard's logs")
    sample_every: int = output(100, whole(1), "batches between sample grids")
    checkpoint_every: int = output(500, whole(1), "batches between checkpoints")
    log_every: int = output(10, whole(1), "batches between logged losses")
    evaluate_every: int = output(
        None, whole(1), "batches between evaluations as evaluate.py's; the checkpoint with the lowest FDD is kept "
        "(default: none)")  # fmt: skip
    max_to_keep: int = output(3, whole(2), "keep this many of the newest checkpoints")
    step: int = output(None, whole(1), "resume from the checkpoint of this step (default: the newest)")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, kind = getattr(self, field.name), field.metadata["kind"]
            if kind and value is not None and not (field.name == "dataset" and value == ""):
                kind.check(f"--{field.name}", value)
        for name, folder in self.outputs().items():
            if self.dataset and os.path.realpath(folder) == os.path.realpath(self.dataset):
                raise UserError(f"--{name} {folder}: is the folder of the images; name another")

    def outputs(self):
        """The folders that the run writes to, by the names of their settings."""
        return {name: getattr(self, name) for name in ("checkpoint_dir", "sample_dir", "log_dir")}

    def keywords_of(self, function):
        """The settings that a function has parameters for, as its keywords."""
        return {name: getattr(self, name) for name in inspect.signature(function).parameters if hasattr(self, name)}

    def compare(self, saved):
        """What differs from `saved`, an earlier run's settings as a dict.

        Returns two lists of lines: the differences that make it another run, and those that are
        allowed. Output folders and --step are not compared.
        """
        defining, allowed = [], []
        for field in dataclasses.fields(self):
            if field.name in ("step", "init_from", *self.outputs()):
                continue
            before, now = saved.get(field.name, field.default), getattr(self, field.name)
            if field.name == "dataset":
                before, now = os.path.abspath(str(before)), os.path.abspath(now)
            if before != now:
                line = f"--{field.name}: {_in_words(before)} before, {_in_words(now)} now"
                (defining if field.metadata["defines"] else allowed).append(line)
        return defining, allowed


# Named sets of settings, for --preset. Chosen on LFW and checked on CelebA: docs/evaluation.md.
PRESETS = {"faces": dict(gf_dim=32, df_dim=32, flip=True, ema=0.999, lr_decay=0.5, precision="auto")}


def _in_words(value):
    return {"None": "not given", "True": "on", "False": "off"}.get(str(value), value)
