#!/usr/bin/env python3
"""Explore what a trained network has learned.

    ./explore.py interpolate --seeds 3,7,12 --out between/
    ./explore.py arithmetic --plus 3,7,9 --minus 1,4,5 --plus2 2,8,11 --out sums/
    ./explore.py walk --coordinates 0-9 --seeds 3,7 --out walk/
    ./explore.py progress --out progress/

interpolate moves z from picture to picture, in a straight line and along the arc, and writes strips,
frames and looping GIFs. arithmetic takes the mean z of some pictures, subtracts that of others, adds
that of a third group (smiling woman - neutral woman + neutral man), and draws the figure that papers
print. walk varies coordinates of z one at a time from -1 to 1, and writes a grid and a GIF of each.
progress makes a GIF of the sample grids that a training run has written. Pictures have the numbers that
they have in generate.py.
"""

import os

import cli
from errors import UserError
from training import devices, run_folder
from training.settings import text, whole

COMMANDS = {
    "interpolate": "move from picture to picture, in a straight line and along the arc",
    "arithmetic": "add and subtract the means of groups of pictures",
    "progress": "show how the sample grids of a run changed, as a GIF",
    "walk": "vary coordinates of z, one at a time, from -1 to 1",
}


def flags():
    """The command line."""
    parser = cli.parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="|".join(COMMANDS))
    numbers, add = text("LIST"), cli.add_flag
    for name, help in COMMANDS.items():
        command = commands.add_parser(name, help=help, description=help)
        cli.add_network_flags(command, step=name != "progress")
        add(command, "out", text("DIR"), None, "folder for the results, new or empty (required)", required=True)
        if name == "progress":
            continue
        add(command, "seed", whole(0), 0, "seed of the pictures")
        if name == "arithmetic":
            for flag, what in (("plus", "the first"), ("minus", "the second"), ("plus2", "the third")):
                add(command, flag, numbers, None, f"pictures of {what} group, such as 3,7,9 (required)", required=True)
        else:
            add(command, "seeds", numbers, "0,1,2,3", "numbers of the pictures, such as 3,7,10-20")
            add(command, "z", text("FILE"), None, "take the z of an .npz file instead")
            add(command, "steps", whole(2, 1000), 16, "pictures from one to the next, both included")
        if name == "walk":
            add(command, "coordinates", numbers, None, "coordinates of z, counted from 0 (default: the first ten)")
    return parser


def progress(options):
    """Make the GIF of a run's sample grids. Returns the exit code. Raises UserError."""
    from training import gallery

    run_folder.check_network(options.checkpoint_dir)
    folders = run_folder.folders_written(options.checkpoint_dir)
    os.makedirs(options.out, exist_ok=True)
    frames = gallery.animate(folders, os.path.join(options.out, "progress.gif"))
    print(f"{frames} sample grids, the first to the last: {os.path.join(options.out, 'progress.gif')}")
    return 0


def main(arguments):
    """Explore. Returns the exit code."""
    options = flags().parse_args(arguments)
    cli.use_name(vars(options), arguments)
    cli.check_empty("--out", options.out)
    if options.command == "progress":
        return progress(options)
    run_folder.check_network(options.checkpoint_dir, options.step)
    devices.set_up()
    from sampling import figures, latents, loading

    def z_of(flag):
        return latents.draw(options.seed, latents.parse_numbers(getattr(options, flag), f"--{flag}"), dcgan.z_dim)

    dcgan, step = loading.load_model(options.checkpoint_dir, options.step)
    if options.command == "arithmetic":
        groups = {flag: z_of(flag) for flag in ("plus", "minus", "plus2")}
    else:
        z = latents.load(options.z, dcgan.z_dim) if options.z else z_of("seeds")
    if options.command == "interpolate" and len(z) < 2:
        raise UserError("interpolate needs at least two pictures in --seeds or --z")
    if options.command == "walk":
        first = f"0-{min(dcgan.z_dim, 10) - 1}"
        coordinates = latents.parse_numbers(options.coordinates or first, "--coordinates")
        if max(coordinates) >= dcgan.z_dim:
            raise UserError(f"--coordinates {options.coordinates}: z has coordinates 0 to {dcgan.z_dim - 1}")

    os.makedirs(options.out, exist_ok=True)
    if options.command == "interpolate":
        figures.interpolate(dcgan, z, options.steps, options.out)
    elif options.command == "arithmetic":
        figures.arithmetic(dcgan, **groups, seed=options.seed, out=options.out)
    else:
        figures.walk(dcgan, z, coordinates, options.steps, options.out)
    print(f"{options.command} of step {step} in {options.out}: " + ", ".join(sorted(os.listdir(options.out))))
    return 0


if __name__ == "__main__":
    cli.run(main)
