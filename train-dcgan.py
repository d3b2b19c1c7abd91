#!/usr/bin/env python3
"""Train a DCGAN on a folder of images.

    ./train-dcgan.py --dataset ./data/your-dataset/aligned --epoch 20

Sample grids go to samples/, losses to logs/ (see them with tensorboard --logdir ./logs), the
network to checkpoints/. The same command again goes on from the last checkpoint. Ctrl-C finishes
the batch, saves and says how to go on.
"""

import dataclasses
import os

import cli

cli.check_python()

from training.settings import TrainConfig, parse  # noqa: E402

EXITS = (
    "0 done, 1 failed (a full disk, say), 2 bad usage or data, 3 numbers gone bad, 130 or 143 interrupted after saving"
)


def flags():
    """The command line, made from the settings in config.py."""
    parser = cli.parser(__doc__, EXITS)
    groups = {}
    for field in dataclasses.fields(TrainConfig):
        rule = field.metadata
        if rule["group"] not in groups:
            groups[rule["group"]] = parser.add_argument_group(rule["group"])
        add = groups[rule["group"]].add_argument
        if field.type is bool:
            add(f"--{field.name}", action="store_true", help=rule["help"])
        else:
            shown = "" if field.default in (None, "") else f" (default: {field.default})"
            add(
                f"--{field.name}",
                type=lambda text, field=field: parse(field, text),
                default=field.default,
                required=field.default == "",
                metavar=rule["metavar"] or {int: "N", float: "X", str: "DIR"}[field.type],
                help=rule["help"] + shown,
            )
    groups["data"].add_argument(
        "--check", action="store_true", help="read every file and report what is wrong with which, without training"
    )
    return parser


def main(arguments):
    """Train, or check the data. Returns the exit code."""
    options = vars(flags().parse_args(arguments))
    del options["debug"]
    check = options.pop("check")
    config = TrainConfig(**options)
    if check:
        from training import preflight

        return preflight.check(config)

    from training import devices

    strategy, device = devices.set_up(config.deterministic, config.devices, os.environ.get("TF_CONFIG"))
    from training import loop

    return loop.train(config, device, strategy)


if __name__ == "__main__":
    cli.run(main)
