#!/usr/bin/env python3
"""Explore what a trained network has learned, and put photos into it.

    ./explore.py interpolate --seeds 3,7,12 --out between/
    ./explore.py arithmetic --plus 3,7,9 --minus 1,4,5 --plus2 2,8,11 --out sums/
    ./explore.py walk --coordinates 0-9 --seeds 3,7 --out walk/
    ./explore.py progress --out progress/
    ./explore.py project photo.jpg --align --out me/
    ./explore.py direction --plus 3,7,9 --minus 1,4,5 --out smile.npz
    ./explore.py edit --z me/z.npz --direction smile.npz --out edited/

interpolate moves z from picture to picture, in a straight line and along the arc, and writes strips,
frames and looping GIFs. arithmetic takes the mean z of some pictures, subtracts that of others, adds
that of a third group (smiling woman - neutral woman + neutral man), and draws the figure that papers
print. walk varies coordinates of z one at a time from -1 to 1, and writes a grid and a GIF of each.
progress makes a GIF of the sample grids that a training run has written. project searches the z whose
picture is nearest to a photo, and writes both side by side, and z. direction is the difference of two
means. edit moves z along a direction, from less to more, and writes a strip and a GIF. Pictures have the
numbers that they have in generate.py; where numbers go, .npz files with z may go too.
"""

import os

import cli.program
from cli.flags import add_flag, check_empty, check_writable, script_parser
from cli.kinds import text, whole
from devices import start
from errors import UserError
from runs.files import check_network, folders_written
from runs.naming import add_network_flags, use_name

COMMANDS = {
    "interpolate": "move from picture to picture, in a straight line and along the arc",
    "arithmetic": "add and subtract the means of groups of pictures",
    "progress": "show how the sample grids of a run changed, as a GIF",
    "walk": "vary coordinates of z, one at a time, from -1 to 1",
    "project": "find the z whose picture is nearest to a photo",
    "direction": "the difference of the means of two groups of pictures, for edit",
    "edit": "move z along a direction, from less to more",
}
MOST_NAMED = 12  # files that the last line lists
GROUPS = {"plus": "the first", "minus": "the second", "plus2": "the third"}


def flags():
    """The command line."""
    parser = script_parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="|".join(COMMANDS))
    numbers, file, add = text("LIST"), text("FILE"), add_flag
    for name, help in COMMANDS.items():
        command = commands.add_parser(name, help=help, description=help)
        add_network_flags(command, step=name != "progress")
        if name == "direction":
            add(command, "out", file, None, "the .npz file to write (required)", required=True)
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
            add(command, "coordinates", numbers, None, "coordinates of z, counted from 0 (default: the first ten)")
        if name == "edit":
            add(command, "z", file, None, "the .npz file to edit, as project writes it (required)", required=True)
            add(command, "direction", file, None, "the .npz file that direction wrote (required)", required=True)
            add(command, "steps", whole(2, 1000), 7, "pictures from less to more")
        if name == "project":
            command.add_argument("images", nargs="+", metavar="PHOTO", help="photos, or aligned faces")
            add(command, "align", None, False, "find and align the face in each photo first")
            add(command, "nIter", whole(1), 500, "iterations")
            add(command, "restarts", whole(1, 64), 4, "searches per photo, of which the best is kept")
            add(command, "seed", whole(0), 0, "seed of the first z")
    return parser


def progress(options):
    """Make the GIF of a run's sample grids. Raises UserError."""
    from runs import gallery

    check_network(options.checkpoint_dir)
    folders = folders_written(options.checkpoint_dir)
    os.makedirs(options.out, exist_ok=True)
    frames = gallery.animate(folders, os.path.join(options.out, "progress.gif"))
    print(f"{frames} sample grids, the first to the last: {os.path.join(options.out, 'progress.gif')}")


def interpolate(options, dcgan):
    """Draw interpolations. Raises UserError."""
    from sampling import figures

    z = chosen(options, dcgan)
    if len(z) < 2:
        raise UserError("interpolate needs at least two pictures in --seeds or --z")
    os.makedirs(options.out, exist_ok=True)
    figures.interpolate(dcgan, z, options.steps, options.out)


def arithmetic(options, dcgan):
    """Draw face arithmetic. Raises UserError."""
    from sampling import figures

    groups = {flag: group(options, dcgan, flag) for flag in GROUPS}
    os.makedirs(options.out, exist_ok=True)
    figures.arithmetic(dcgan, **groups, seed=options.seed, out=options.out)


def walk(options, dcgan):
    """Draw walks along coordinates. Raises UserError."""
    from sampling import figures, latents

    z, first = chosen(options, dcgan), f"0-{min(dcgan.z_dim, 10) - 1}"
    coordinates = latents.parse_numbers(options.coordinates or first, "--coordinates")
    if max(coordinates) >= dcgan.z_dim:
        raise UserError(f"--coordinates {options.coordinates}: z has coordinates 0 to {dcgan.z_dim - 1}")
    os.makedirs(options.out, exist_ok=True)
    figures.walk(dcgan, z, coordinates, options.steps, options.out)


def project(options, dcgan):
    """Search the z of photos, and print how near their pictures come. Raises UserError."""
    import dataclasses

    from cli.progress import Countdown
    from sampling import completion, projection, projection_files

    pixels = projection_files.read(options.images, dcgan, options.align)
    settings = dataclasses.replace(
        projection.SETTINGS, nIter=options.nIter, restarts=options.restarts, seed=options.seed
    )
    countdown = Countdown(len(pixels) * options.nIter, "searching")
    for _, z, generated in projection.project(completion.Search(dcgan, settings), pixels, countdown.advance):  # noqa: B007
        pass
    countdown.close()
    os.makedirs(options.out, exist_ok=True)
    distances = face_distances(pixels, generated)
    for i, (photo, decibels) in enumerate(zip(options.images, projection.psnr(pixels, generated))):
        print(f"{photo}: PSNR {decibels:.1f} dB" + (f", distance {distances[i]:.2f}" if distances is not None else ""))
    if distances is not None:
        print(
            "distance: of dlib's features; below 0.6 for most pairs of photos of one person, and 0.48 for the nearest "
            "of thousands of strangers"
        )
    projection_files.write(options.out, options.images, pixels, generated, z)


def face_distances(pixels, generated):
    """dlib's distance of each pair of faces [N]; None where dlib is not installed."""
    from evaluation import dlib_features, metrics

    try:
        dlib_features.check_installed()
    except ModuleNotFoundError:
        return None
    pair = dlib_features.features(pixels, "photos"), dlib_features.features(generated, "pictures")
    return metrics.distances(*pair).diagonal()


def direction(options, dcgan):
    """Write the difference of two means. Raises UserError."""
    from sampling import latents

    means = [group(options, dcgan, flag).mean(axis=0, keepdims=True) for flag in ("plus", "minus")]
    latents.save(options.out, means[0] - means[1])


def edit(options, dcgan):
    """Draw z with less and more of a direction. Raises UserError."""
    from sampling import figures, latents

    z = latents.load(options.z, dcgan.z_dim)
    directions = latents.load(options.direction, dcgan.z_dim, "--direction")
    if len(directions) > 1:
        raise UserError(
            f"--direction {options.direction}: holds {len(directions)} z; give the file that direction wrote"
        )
    os.makedirs(options.out, exist_ok=True)
    figures.edit(dcgan, z, directions[0], options.steps, options.out)


def group(options, dcgan, flag):
    """z of a group of pictures. Raises UserError."""
    from sampling import latents

    return latents.group(getattr(options, flag), f"--{flag}", options.seed, dcgan.z_dim)


def chosen(options, dcgan):
    """z of the pictures in --seeds, or of --z. Raises UserError."""
    from sampling import latents

    return latents.load(options.z, dcgan.z_dim) if options.z else group(options, dcgan, "seeds")


def main(arguments):
    """Explore. Returns the exit code."""
    options = flags().parse_args(arguments)
    use_name(vars(options), arguments)
    if options.command == "direction":
        check_writable("--out", options.out, ".npz")
    else:
        check_empty("--out", options.out)
    if options.command == "progress":
        progress(options)
        return 0
    check_network(options.checkpoint_dir, options.step)
    start.set_up()
    from runs import loading

    dcgan, step = loading.load_model(options.checkpoint_dir, options.step)
    run = {f.__name__: f for f in (interpolate, arithmetic, walk, project, direction, edit)}[options.command]
    run(options, dcgan)
    files = sorted(os.listdir(options.out)) if os.path.isdir(options.out) else []
    shown = f": {', '.join(files)}" if len(files) <= MOST_NAMED else f": {len(files)} files"
    print(f"{options.command} of step {step} in {options.out}{shown if files else ''}")
    return 0


if __name__ == "__main__":
    cli.program.run(main)
