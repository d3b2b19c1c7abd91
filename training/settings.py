"""The settings of a training run. Each one's name, default, valid values and help text are written here, once.

train-dcgan.py makes its flags from them, settings.json keeps them beside the checkpoints, and DCGAN
takes its keywords from them. (model.py stands alone, so it repeats some defaults; a test holds them equal.)
"""

import dataclasses
import functools
import os
from dataclasses import dataclass

from cli.kinds import CHECKPOINT_FOLDER, DEVICES, FOLDER, PART, RATE, SHARE, SIZE, one_of, real, whole
from cli.settings import setting
from errors import UserError
from runs.network import is_included
from runs.settings import NetworkSettings

GROUPS = ("common", "data", "training", "network", "output")
common, data, train, output = (functools.partial(setting, group=group) for group in GROUPS if group != "network")


@dataclass(frozen=True)
class TrainSettings(NetworkSettings):
    """The settings of one training run. Raises UserError for an invalid value, naming its flag.

    Names and defaults are those of bamos/dcgan-completion.tensorflow, where it has the setting.
    """

    dataset: str = common(
        None,
        FOLDER,
        "folder of images, searched recursively, or a container of images (.rec, .zip, .tar, "
        ".parquet or .tsv file), or a folder of containers (required)",
        required=True,
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

    epoch: int = common(25, whole(1), "passes over the data in all, with those already done")
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
    seed: int = train(
        0, whole(0, 2**31 - 1), "seed of the initial weights, z, the order of images and mirroring", defines=True
    )
    xla: bool = train(None, None, "compile the update with XLA, also on a CPU, which gets slower (default: on one GPU)")
    devices: str = train(
        None, DEVICES, "how many GPUs to use, or which, such as GPU:0,GPU:2 (default: all; CPU:0,CPU:1 are two logical "
        "devices, for a trial)")  # fmt: skip
    init_from: str = train(
        None, FOLDER, "start a new run from the weights in this folder: another run's, or a TF1 checkpoint of the "
        "original")  # fmt: skip
    deterministic: bool = train(False, None, "make runs repeat bit for bit; on a CPU this costs next to nothing")

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
        super().__post_init__()
        if self.init_from and os.path.realpath(self.init_from) == os.path.realpath(self.checkpoint_dir):
            raise UserError(f"--init_from {self.init_from}: must be another folder than --checkpoint_dir")
        if is_included(self.checkpoint_dir):
            raise UserError(
                f"--checkpoint_dir {self.checkpoint_dir}: is the network that comes with the project, and stays as it "
                "is; to start from its weights, name another folder, and give --init_from networks/faces"
            )
        for name, folder in self.outputs().items():
            if self.dataset and os.path.realpath(folder) == os.path.realpath(self.dataset):
                raise UserError(f"--{name} {folder}: is the folder of the images; name another")

    def outputs(self):
        """The folders that the run writes to, by the names of their settings."""
        return {name: getattr(self, name) for name in ("checkpoint_dir", "sample_dir", "log_dir")}

    def compare(self, saved):
        """What differs from `saved`, an earlier run's settings as a dict.

        Returns two lists of lines: the differences that make it another run, and those that are
        allowed. Output folders, --step and --xla, which the device may have chosen, are not compared.
        """
        defining, allowed = [], []
        for field in dataclasses.fields(self):
            if field.name in ("step", "init_from", "xla", *self.outputs()):
                continue
            before, now = saved.get(field.name, field.default), getattr(self, field.name)
            if field.name == "dataset":
                before, now = os.path.abspath(str(before)), os.path.abspath(now)
            if before != now:
                line = f"--{field.name}: {_in_words(before)} before, {_in_words(now)} now"
                (defining if field.metadata.get("defines") else allowed).append(line)
        return defining, allowed


# Named sets of settings, for --preset. Chosen on LFW and checked on CelebA: docs/evaluation.md.
PRESETS = {"faces": dict(gf_dim=32, df_dim=32, flip=True, ema=0.999, lr_decay=0.5, precision="auto")}


def _in_words(value):
    return {"None": "not given", "True": "on", "False": "off"}.get(str(value), value)
