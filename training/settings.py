"""The settings of a training run: each name, default, bound and help text, written once.

train-dcgan.py makes its flags from them, checkpointing.py keeps them beside the checkpoints, and
DCGAN gets its keywords from them. Imports neither TensorFlow nor NumPy, so that --help is quick.
"""

import dataclasses
import math
import os
import re
from dataclasses import dataclass

from errors import UserError

IMAGE_SIZES = (16, 32, 64, 128, 256)  # 64 is the article's; the others by the same rule


def setting(default, group, help, valid="", check=None, metavar=None, defines=False):
    """A field of TrainConfig. `valid` says in words what `check` tests.

    `defines`: the setting is part of what the run is, so a resume refuses another value.
    """
    metadata = dict(group=group, help=help, valid=valid, check=check, metavar=metavar, defines=defines)
    return dataclasses.field(default=default, metadata=metadata)


def parse(field, text):
    """A flag's text as a value of its field's type. Raises UserError, naming the flag."""
    try:
        return field.type(text)
    except ValueError:
        raise UserError(f"--{field.name} {text}: must be {field.metadata['valid']}") from None


def at_least(least):
    """Keywords of a `setting` that takes whole numbers from `least` on."""
    return dict(valid=f"a whole number of at least {least}", check=lambda n: n >= least)


def one_of(*choices):
    """Keywords of a `setting` that takes one of a few values."""
    names = [str(choice) for choice in choices]
    return dict(valid="one of " + ", ".join(names), metavar="|".join(names), check=lambda value: value in choices)


WIDTH = dict(valid="a whole number from 1 to 65536", check=lambda n: 1 <= n <= 65536)
FOLDER = dict(
    valid="the name of a folder, in UTF-8",
    check=lambda name: name and "://" not in name and not _lone_bytes(name),  # TensorFlow takes :// for a bucket, say
)
CHECKPOINT_FOLDER = dict(
    valid="the name of a folder, in UTF-8, without [ and \\, which TensorFlow takes for a pattern",
    check=lambda name: FOLDER["check"](name) and not set(name) & set("[\\"),
)
RATE = dict(valid="a number above 0", check=lambda x: 0 < x < math.inf)


def _lone_bytes(name):
    """Whether a name holds bytes that are not UTF-8, which TensorFlow does not take in a path."""
    return any("\ud800" <= character <= "\udfff" for character in name)


def _are_devices(names):
    """Whether they are devices' names, all of one kind and none twice, or a number."""
    parts = names.upper().split(",")
    same_kind = re.fullmatch(r"(CPU:\d+,)*CPU:\d+|(GPU:\d+,)*GPU:\d+", ",".join(parts))
    return re.fullmatch("[1-9][0-9]*", names) or (same_kind and len(set(parts)) == len(parts))


@dataclass(frozen=True)
class TrainConfig:
    """One training run. Raises UserError for a value out of bounds, naming its flag.

    Names and defaults are those of bamos/dcgan-completion.tensorflow where it has them.
    """

    dataset: str = setting("", "data", "folder of images, searched recursively (required)")
    train_size: int = setting(
        None, "data", "use the first N images by sorted path (default: all)", **at_least(1), defines=True
    )
    crop: int = setting(
        None,
        "data",
        "centre crop of N pixels before resizing, such as 108 for CelebA or 128 for LFW as downloaded "
        "(default: the largest square)",
        **at_least(1),
        defines=True,
    )
    flip: bool = setting(False, "data", "mirror each image at random, anew in each epoch", defines=True)

    cache: str = setting(
        "auto",
        "data",
        "keep decoded images in memory: auto (what fits a quarter of the free memory), on (all) or off",
        **one_of("auto", "on", "off"),
    )

    max_bad: float = setting(
        0.01,
        "data",
        "share of the files that may turn out broken before training stops",
        valid="a number from 0 to 1",
        check=lambda share: 0 <= share <= 1,
    )

    epoch: int = setting(25, "training", "passes over the data in all, not those still to do", **at_least(1))
    batch_size: int = setting(64, "training", "images a batch", **WIDTH, defines=True)
    learning_rate: float = setting(2e-4, "training", "of both Adam optimizers", **RATE)
    d_learning_rate: float = setting(None, "training", "of the discriminator (default: --learning_rate)", **RATE)
    g_learning_rate: float = setting(None, "training", "of the generator (default: --learning_rate)", **RATE)
    beta1: float = setting(
        0.5,
        "training",
        "Adam's momentum",
        valid="a number from 0 up to, not including, 1",
        check=lambda x: 0 <= x < 1,
    )
    g_steps: int = setting(2, "training", "generator updates for each discriminator update", **at_least(1))
    ema: float = setting(
        None,
        "training",
        "decay of a moving average of the generator's weights, which then draws the samples; 0.999 gives better faces "
        "sooner (default: none, as in the original)",
        valid="a number above 0 and below 1",
        check=lambda x: 0 < x < 1,
        defines=True,
    )
    seed: int = setting(
        0,
        "training",
        "of the initial weights, z, the order of images and mirroring",
        valid="a whole number from 0 to 2147483647",
        check=lambda n: 0 <= n < 2**31,
        defines=True,
    )
    precision: str = setting(
        "float32",
        "training",
        "of convolutions and matrix products: float32, or bfloat16 (faster where the processor has it)",
        **one_of("float32", "bfloat16"),
    )
    xla: bool = setting(False, "training", "compile the step with XLA (slower on a CPU; try it on a GPU)")
    devices: str = setting(
        None,
        "training",
        "how many GPUs, or which: GPU:0,GPU:2 (default: all; CPU:0,CPU:1 are logical devices, to try it)",
        valid="a number, or names such as GPU:0,GPU:2 or CPU:0,CPU:1",
        check=_are_devices,
        metavar="N|NAMES",
    )
    init_from: str = setting(
        None,
        "training",
        "start a new run from the weights in this folder: a TF1 checkpoint of the original, or this program's own",
        **FOLDER,
    )
    deterministic: bool = setting(
        False, "training", "repeat a run bit for bit on a CPU, at some cost in speed (see README)"
    )

    image_size: int = setting(
        64, "network", "height and width of the images in pixels", **one_of(*IMAGE_SIZES), defines=True
    )
    c_dim: int = setting(3, "network", "channels: 3 for colour, 1 for gray", **one_of(1, 3), defines=True)
    z_dim: int = setting(100, "network", "numbers in z", **WIDTH, defines=True)
    gf_dim: int = setting(64, "network", "width of the generator's last hidden layer", **WIDTH, defines=True)
    df_dim: int = setting(64, "network", "width of the discriminator's first layer", **WIDTH, defines=True)

    checkpoint_dir: str = setting(
        "checkpoints", "output", "where checkpoints go; a second run resumes from there", **CHECKPOINT_FOLDER
    )
    sample_dir: str = setting("samples", "output", "where sample grids go", **FOLDER)
    log_dir: str = setting("logs", "output", "where TensorBoard logs go", **FOLDER)
    sample_every: int = setting(100, "output", "batches between sample grids", **at_least(1))
    checkpoint_every: int = setting(500, "output", "batches between checkpoints", **at_least(1))
    log_every: int = setting(10, "output", "batches between logged losses", **at_least(1))
    max_to_keep: int = setting(3, "output", "checkpoints to keep, the newest ones", **at_least(2))
    step: int = setting(None, "output", "resume from the checkpoint of this step, not the newest", **at_least(1))

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, rule = getattr(self, field.name), field.metadata
            if value is None:
                continue
            if rule["check"] and not rule["check"](value):
                raise UserError(f"--{field.name} {value}: must be {rule['valid']}")
        for name, folder in self.outputs().items():
            if self.dataset and os.path.realpath(folder) == os.path.realpath(self.dataset):
                raise UserError(f"--{name} {folder}: is the folder of the images; name another")

    def outputs(self):
        """The folders that are written to, by the names of their settings."""
        return {name: getattr(self, name) for name in ("checkpoint_dir", "sample_dir", "log_dir")}

    def model_keywords(self):
        """The settings that DCGAN takes, as its keywords."""
        names = """image_size z_dim gf_dim df_dim c_dim learning_rate beta1 d_learning_rate g_learning_rate
            g_steps ema seed precision xla"""
        return {name: getattr(self, name) for name in names.split()}

    def compare(self, saved):
        """What differs from `saved`, the settings of an earlier run as a dict.

        Returns two lists of lines: differences that make it another run, and those that may be.
        The folders of what comes out, and --step, are not compared.
        """
        defining, allowed = [], []
        for field in dataclasses.fields(self):
            if field.name in ("step", "init_from", *self.outputs()):
                continue
            before, now = saved.get(field.name, field.default), getattr(self, field.name)
            if field.name == "dataset":
                before, now = os.path.abspath(str(before)), os.path.abspath(now)
            if before != now:
                line = f"--{field.name}: {_show(before)} before, {_show(now)} now"
                (defining if field.metadata["defines"] else allowed).append(line)
        return defining, allowed


def _show(value):
    return {"None": "not given", "True": "on", "False": "off"}.get(str(value), value)
