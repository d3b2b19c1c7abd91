#!/usr/bin/env python3
"""Train a DCGAN on images, in a folder or in a container such as a .zip or .parquet file.

    ./train-dcgan.py --dataset ./data/your-dataset/aligned --epoch 20

Writes sample grids to samples/, losses to logs/ (to see them: tensorboard --logdir ./logs) and the
network to checkpoints/. The same command again continues from the last checkpoint. Ctrl-C finishes
the batch, saves, and says how to continue.
"""

import dataclasses
import os

import cli
from training import devices
from training.settings import NAME, PRESETS, TrainConfig, one_of

EXITS = (
    "0 done, 1 failed (as on a full disk), 2 bad usage or data, 3 a loss or weight is not a finite number, "
    "130 or 143 interrupted after saving"
)
CROPPED = "images are always cropped to their central square; --crop 108 takes CelebA's central 108 pixels first"
INSTEAD = {  # flags of bamos/dcgan-completion.tensorflow and carpedm20/DCGAN-tensorflow
    "--epochs": "type --epoch",
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
    """The command line: a flag for each setting in training/settings.py, --no_flip, --preset, --check and
    --name."""
    parser = cli.parser(__doc__, EXITS, INSTEAD)
    groups = {}
    for field in dataclasses.fields(TrainConfig):
        rule, name = field.metadata, field.metadata["group"]
        group = groups[name] = groups.get(name) or parser.add_argument_group(name)
        cli.add_flag(group, field.name, rule["kind"], field.default, rule["help"], required=field.default == "")
    cli.add_flag(groups["training"], "preset", one_of(*PRESETS), None, "settings to start from, which other flags "
        "change one by one: " + "; ".join(map(described, PRESETS)))  # fmt: skip
    groups["data"].add_argument("--no_flip", action="store_false", dest="flip", default=False, help="do not mirror, "
        "though --preset would")  # fmt: skip
    cli.add_flag(groups["data"], "check", None, False, "read every file and list the broken ones, without training")
    folders = "name of the run, for --checkpoint_dir checkpoints/NAME --sample_dir samples/NAME --log_dir logs/NAME"
    cli.add_flag(groups["output"], "name", NAME, None, folders)
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
    cli.use_name(options, arguments)
    config = TrainConfig(**options)
    if check:
        from training import preflight

        return preflight.check(config)
    strategy, device = devices.set_up(config.deterministic, config.devices, os.environ.get("TF_CONFIG"), config.xla)
    evaluate = None
    if config.evaluate_every:
        from evaluation import live

        evaluate = live.evaluator(config)
    from training import loop

    return loop.train(config, device, strategy, evaluate)


if __name__ == "__main__":
    cli.run(main, less_memory="a smaller --batch_size, --cache off")
