#!/usr/bin/env python3
"""Train a DCGAN on images, in a folder or in a container such as a .zip or .parquet file.

    ./train-dcgan.py --dataset data/your-dataset/aligned --epoch 20                   # as in the article
    ./train-dcgan.py --dataset data/your-dataset/aligned --preset faces --epoch 100   # better faces, in less time
    ./train-dcgan.py --dataset data/your-dataset/aligned --preset faces --epoch 150   # continue that run

Writes sample grids to samples/, losses to logs/ (to see them: tensorboard --logdir ./logs) and the
network to checkpoints/. The same command again continues from the last checkpoint. Ctrl-C finishes
the batch, saves, and says how to continue.
"""

import os

import cli.program
from cli.flags import Parser, add_flag
from cli.kinds import NAME, one_of
from cli.settings import add_settings
from devices import start
from errors import UserError
from runs.files import HELD_OUT, folders_written, read_json
from runs.naming import use_name
from training.settings import GROUPS, PRESETS, TrainSettings

loop, preflight, live = map(cli.program.Later, ("training.loop", "photos.preflight", "evaluation.live"))
LESS_MEMORY = (
    "a smaller --batch_size (which begins a new run), more --devices, --no_xla, --cache off; what was saved is intact"
)
EXITS = (
    "0 done, 1 failed (as on a full disk), 2 bad usage or data, 3 a loss or weight is not a finite number, "
    "129, 130 or 143 interrupted after saving (SIGHUP, Ctrl-C, SIGTERM)"
)
CROPPED = "images are always cropped to their central square; --crop 108 takes CelebA's central 108 pixels first"
INSTEAD = {  # flags of bamos/dcgan-completion.tensorflow and carpedm20/DCGAN-tensorflow
    "--epochs": "type --epoch",
    "--lr": "type --learning_rate",
    "--is_train": "leave it out; this program trains, and complete.py completes",
    "--train": "leave it out; this program trains, and generate.py draws",
    "--is_crop": "leave it out; " + CROPPED,
    "--input_height": "leave it out; " + CROPPED,
    "--input_width": "leave it out; " + CROPPED,
    "--output_height": "type --image_size",
    "--output_width": "type --image_size",
    "--output_size": "type --image_size",
    "--sample_size": "leave it out; a sample grid always has 64 images",
    "--data_dir": "type --dataset, with the folder of the images",
    "--input_fname_pattern": "leave it out; all images below --dataset are found",
    "--visualize": "leave it out; explore.py draws",
}


def flags():
    """The command line: a flag for each setting in training/settings.py, --no_flip, --no_xla, --preset, --check
    and --name."""
    parser = Parser(__doc__, EXITS, INSTEAD)
    groups = add_settings(parser, TrainSettings, GROUPS)
    add_flag(groups["common"], "preset", one_of(*PRESETS), None, "settings to start from, which other flags "
        "change one by one: " + "; ".join(map(described, PRESETS)))  # fmt: skip
    groups["data"].add_argument("--no_flip", action="store_false", dest="flip", default=False, help="do not mirror, "
        "though --preset would")  # fmt: skip
    groups["training"].add_argument("--no_xla", action="store_false", dest="xla", default=None, help="do not compile "
        "the update with XLA: the first batch comes sooner, and the others take longer")  # fmt: skip
    add_flag(groups["data"], "check", None, False, "read every file and list the broken ones, without training")
    folders = "name of the run, for --checkpoint_dir checkpoints/NAME --sample_dir samples/NAME --log_dir logs/NAME"
    add_flag(groups["common"], "name", NAME, None, folders)
    return parser


def described(preset):
    """A preset in words: the flags that it stands for."""
    words = (f"--{name}" if value is True else f"--{name} {value}" for name, value in PRESETS[preset].items())
    return f"{preset} is {' '.join(words)}"


def parse(arguments):
    """A command line -> the settings, "check" and "name". A flag that is given wins over --preset."""
    parser = flags()
    preset = parser.parse_args(arguments).preset
    parser.set_defaults(**PRESETS.get(preset, {}))
    options = vars(parser.parse_args(arguments))
    del options["debug"], options["preset"]
    return options


def main(arguments):
    """Train, or check the data. Returns the exit code."""
    options = parse(arguments)
    check = options.pop("check")
    use_name(options, arguments)
    config = TrainSettings(**options)
    if check:
        before = read_json(config.checkpoint_dir, HELD_OUT, list)
        return preflight.check(config, folders_written(config.checkpoint_dir), before)
    if not os.path.exists(config.dataset):
        raise UserError(f"--dataset {config.dataset}: no such folder or file")
    print("starting TensorFlow")  # which takes seconds, on a slow disk many
    strategy, device = start.set_up(config.deterministic, config.devices, os.environ.get("TF_CONFIG"), config.xla)
    evaluate = live.evaluator(config) if config.evaluate_every else None
    return loop.train(config, device, strategy, evaluate)


if __name__ == "__main__":
    cli.program.run(main, less_memory=LESS_MEMORY)
