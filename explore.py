#!/usr/bin/env python3
"""Explore what a trained network has learned, and put photos into it.

    ./explore.py interpolate --seeds 3,7,12 --out between/
    ./explore.py arithmetic --plus 3,7,9 --minus 1,4,5 --plus2 2,8,11 --out sums/
    ./explore.py progress --out progress/
    ./explore.py walk --coordinates 0-9 --seeds 3,7 --out walk/
    ./explore.py project photo.jpg --align --out me/
    ./explore.py direction --plus 3,7,9 --minus 1,4,5 --out smile.npz
    ./explore.py directions
    ./explore.py edit --z me/z.npz --direction smile --out edited/

Pictures have the numbers that they have in generate.py; where numbers go, .npz files with z may go too.
./explore.py COMMAND --help shows the flags of a command.
"""

import difflib

import cli.program
from cli.flags import Parser, add_flag, check_empty, check_writable
from cli.kinds import text, whole
from cli.settings import add_settings
from devices import start
from errors import UserError
from photos.finding import photos_at
from runs.naming import add_network_flags, use_name
from runs.network import describe, find_network
from sampling.settings import ProjectionSettings

gallery, exploring = cli.program.Later("runs.gallery"), cli.program.Later("sampling.exploring")
COMMANDS = {
    "interpolate": "move from picture to picture, in a straight line and along the arc: strips, frames and GIFs",
    "arithmetic": "add and subtract the means of groups of pictures: smiling woman - woman + man",
    "progress": "show how the sample grids of a training run changed, as a GIF",
    "walk": "vary coordinates of z, one at a time, from -1 to 1: a grid and a GIF of each",
    "project": "find the generated face closest to a photo, and its z",
    "direction": "take the difference of the means of two groups of pictures, for edit",
    "directions": "find what makes faces smile, turn, look up ..., by measuring faces; kept beside the checkpoint",
    "edit": "move z along a direction, from less to more: a strip and a GIF",
}
SWITCHES = ("--debug", "--align")  # flags without a value
GROUPS = {"plus": "the first", "minus": "the second", "plus2": "the third"}


def flags():
    """The command line."""
    parser = Parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    numbers, file, add = text("LIST"), text("FILE"), add_flag
    for name, help in COMMANDS.items():
        example = next(line for line in __doc__.splitlines() if f"py {name} " in line + " ")
        command = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.\n\n{example}")
        add_network_flags(command, step=name != "progress", own=name == "progress", tf1=name != "progress")
        if name == "direction":
            add(command, "out", file, None, "the .npz file to write (required)", required=True)
        elif name == "directions":
            add(command, "out", text("DIR"), None, "folder for a strip of each, new or empty (default: none are drawn)")
        else:
            add(command, "out", text("DIR"), None, "folder for the results, new or empty (required)", required=True)
        if name in ("interpolate", "arithmetic", "walk", "direction"):
            add(command, "seed", whole(0), 0, "seed of the pictures")
        if name in ("arithmetic", "direction"):
            for flag in ("plus", "minus", "plus2")[: 3 if name == "arithmetic" else 2]:
                add(command, flag, numbers, None, f"pictures of {GROUPS[flag]} group, such as 3,7,9, or .npz files "
                    "(required)", required=True)  # fmt: skip
        if name in ("interpolate", "walk"):
            add(command, "seeds", numbers, "0,1,2,3", "numbers of the pictures, such as 3,7,10-20")
            add(command, "z", file, None, "take the z of an .npz file instead")
            add(command, "steps", whole(2, 1000), 16, "pictures from one to the next, both included")
        if name == "walk":
            which = "coordinates of z, counted from 0 (default: the ten that change these pictures most)"
            add(command, "coordinates", numbers, None, which)
        if name == "edit":
            add(command, "z", file, None, "the .npz file to edit, as project writes it (required)", required=True)
            add(command, "direction", file, None, "one of those that directions finds, such as smile, or the .npz "
                "file that direction wrote (required)", required=True)  # fmt: skip
            add(command, "steps", whole(2, 1000), 7, "pictures from less to more")
        if name == "project":
            command.add_argument(
                "images", nargs="+", metavar="PHOTO", help="photos or aligned faces, or folders of them"
            )
            add(command, "align", None, False, "find and align the face in each photo first")
            add_settings(command, ProjectionSettings, only=("nIter", "restarts", "seed"))
    return parser


def command_first(arguments):
    """The arguments with the command before the flags, where flags came first: --name demo interpolate ...

    Raises UserError where something else stands there.
    """
    for at, argument in enumerate(arguments):
        before = arguments[at - 1] if at else ""
        is_value = before.startswith("-") and before not in SWITCHES and "=" not in before
        if argument.startswith("-") or is_value:
            continue
        if argument in COMMANDS:
            return [argument, *arguments[:at], *arguments[at + 1 :]]
        near = difflib.get_close_matches(argument, COMMANDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(COMMANDS)}"
        raise UserError(f"{argument}: no such command; {hint}")
    return arguments


def main(arguments):
    """Explore. Returns the exit code."""
    options = flags().parse_args(command_first(arguments))
    use_name(vars(options), arguments)
    if options.command == "direction":
        check_writable("--out", options.out, ".npz")
    else:
        check_empty("--out", options.out)
    if options.command == "progress":
        gallery.show_progress(options.checkpoint_dir, options.out)
        return 0
    network = find_network(options.checkpoint_dir, options.step)
    describe(network)
    if options.command == "project":
        options.images = photos_at(options.images)
    start.set_up()
    exploring.explore(network, options)
    return 0


if __name__ == "__main__":
    cli.program.run(main)
