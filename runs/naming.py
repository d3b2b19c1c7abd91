"""The flags that say which run: --checkpoint_dir, or --name for the folders of that name, and --step."""

import os

from cli.flags import add_flag
from cli.kinds import NAME, text, whole
from errors import UserError
from runs.network import INCLUDED


def add_network_flags(parser, step=True, own=False, tf1=True):
    """The flags of the scripts that use a trained network, or only its run.

    step: --step too
    own: a run of the user's is needed; else the network that comes with the project serves while there is none
    tf1: a TF1 checkpoint will do
    """
    what = "checkpoint folder of a training run" + (", or folder with a TF1 checkpoint of the original" if tf1 else "")
    default = "checkpoints"
    if not own:
        included = (
            "; while it holds no run, networks/faces, which comes with the project" if os.path.isdir(INCLUDED) else ""
        )
        what += f" (default: {default}{included})"
    group = parser.add_argument_group("which network")
    add_flag(group, "name", NAME, None, "name of the run, for --checkpoint_dir checkpoints/NAME")
    add_flag(group, "checkpoint_dir", text("DIR"), default if own else None, what, alias="--checkpointDir")
    if step:
        add_flag(group, "step", whole(1), None, "step of an earlier checkpoint (default: the newest)")


def use_name(options, arguments):
    """Replace --name B by the folders that it stands for: checkpoints/B, samples/B, logs/B. Raises UserError.

    options: the parsed arguments, as a dict
    """
    name = options.pop("name")
    for flag, top in (("checkpoint_dir", "checkpoints"), ("sample_dir", "samples"), ("log_dir", "logs")):
        if name is None or flag not in options:
            continue
        given = {argument.split("=")[0] for argument in arguments} & {"--" + flag, "--checkpointDir"}
        if given:
            raise UserError(f"--name {name}: gives the folders of the run; leave out {given.pop()}")
        options[flag] = os.path.join(top, name)
