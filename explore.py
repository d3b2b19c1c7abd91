#!/usr/bin/env python3
"""Explore what a trained network has learned.

    ./explore.py interpolate --seeds 3,7,12 --out between/
    ./explore.py arithmetic --plus 3,7,9 --minus 1,4,5 --plus2 2,8,11 --out sums/
    ./explore.py walk --coordinates 0-9 --seeds 3,7 --out walk/

interpolate moves z from picture to picture, straight and along the arc between them, as strips,
frames and looping GIFs. arithmetic takes the mean z of some pictures, minus that of others, plus
that of a third group (smiling woman - neutral woman + neutral man), and prints the figure that
papers print. walk varies coordinates of z one at a time from -1 to 1, as a grid and a GIF of each.
Pictures are numbered as in generate.py.
"""

import os

import cli

cli.check_python()

from errors import UserError  # noqa: E402


def flags():
    """The command line."""
    parser = cli.parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="interpolate|arithmetic|walk")
    for name, function in (("interpolate", interpolate), ("arithmetic", arithmetic), ("walk", walk)):
        command = commands.add_parser(name, help=function.__doc__.split("\n")[0], allow_abbrev=False)
        command.set_defaults(function=function)
        cli.add_checkpoint_flags(command)
        add = command.add_argument
        add("--out", required=True, metavar="DIR", help="a new or empty folder for what is made")
        add("--seed", type=cli.whole(0), default=0, metavar="N", help="of the pictures (default: 0)")
        add("--debug", action="store_true", help="show Python's traceback of an error")
        if name == "arithmetic":
            for flag in ("--plus", "--minus", "--plus2"):
                add(flag, required=True, metavar="LIST", help="pictures, such as 3,7,9")
        else:
            add("--seeds", default="0,1,2,3", metavar="LIST", help="pictures, such as 3,7,10-20 (default: 0,1,2,3)")
            add("--z", metavar="FILE", help="the z of an .npz file instead")
            add("--steps", type=cli.whole(2, 1000), default=16, metavar="N", help="from end to end (default: 16)")
        if name == "walk":
            add("--coordinates", default="0-9", metavar="LIST", help="of z, counted from 0 (default: 0-9)")
    return parser


def chosen(options, dcgan):
    """The z of --z, or of --seeds -> float32 [N, z_dim]."""
    from sampling import latents

    if options.z:
        return latents.load(options.z, dcgan.z_dim)
    return latents.draw(options.seed, latents.parse_picks(options.seeds, "--seeds"), dcgan.z_dim)


def interpolate(options, dcgan):
    """from picture to picture, straight and along the arc"""
    import numpy as np

    import utils
    from sampling import generation, latents

    z = chosen(options, dcgan)
    if len(z) < 2:
        raise UserError("interpolate needs at least two pictures in --seeds or --z")
    for name, between in (("linear", latents.lerp), ("spherical", latents.slerp)):
        rows = []
        for a, b in zip(z, np.roll(z, -1, axis=0)):  # and from the last back to the first, for the loop
            path = np.array([between(a, b, t) for t in np.linspace(0, 1, options.steps)], np.float32)
            rows.append(generation.generate(dcgan, path))
        utils.save_image(utils.merge(np.concatenate(rows[:-1]), options.steps), f"{options.out}/{name}.png")
        frames = np.concatenate([row[:-1] for row in rows])  # a row's last picture is the next one's first
        os.mkdir(f"{options.out}/{name}")
        for i, frame in enumerate(frames):
            utils.save_image(frame, f"{options.out}/{name}/{i:04d}.png")
        utils.save_gif(frames, f"{options.out}/{name}.gif")


def arithmetic(options, dcgan):
    """the mean of some pictures, minus that of others, plus that of a third group"""
    import numpy as np

    import utils
    from sampling import generation, latents

    groups = [
        latents.draw(options.seed, latents.parse_picks(getattr(options, flag), f"--{flag}"), dcgan.z_dim)
        for flag in ("plus", "minus", "plus2")
    ]
    means = [group.mean(axis=0, keepdims=True) for group in groups]
    result = means[0] - means[1] + means[2]
    # The DCGAN paper (figure 7): the result in the middle, uniform noise of up to 0.25 added around it
    noise = np.random.default_rng([options.seed, 3]).uniform(-0.25, 0.25, [9, dcgan.z_dim])
    noise[4] = 0
    around = generation.generate(dcgan, (result + noise).astype(np.float32))
    columns = [generation.generate(dcgan, np.concatenate([group, mean])) for group, mean in zip(groups, means)]
    utils.save_image(utils.arithmetic_figure(columns, around), f"{options.out}/arithmetic.png")
    utils.save_image(around[4], f"{options.out}/result.png")
    latents.save(f"{options.out}/result.npz", result)


def walk(options, dcgan):
    """coordinates of z, one at a time, from -1 to 1"""
    import numpy as np

    import utils
    from sampling import generation, latents

    z = chosen(options, dcgan)
    for coordinate in latents.parse_picks(options.coordinates, "--coordinates"):
        if coordinate >= dcgan.z_dim:
            raise UserError(f"--coordinates {options.coordinates}: z has coordinates 0 to {dcgan.z_dim - 1}")
        varied = np.repeat(z, options.steps, axis=0)
        varied[:, coordinate] = np.tile(np.linspace(-1, 1, options.steps), len(z))
        pictures = generation.generate(dcgan, varied)
        utils.save_image(utils.merge(pictures, options.steps), f"{options.out}/z{coordinate:03d}.png")
        steps = pictures.reshape(len(z), options.steps, *pictures.shape[1:])
        frames = np.array([utils.merge(steps[:, i]) for i in range(options.steps)])
        utils.save_gif(np.concatenate([frames, frames[-2:0:-1]]), f"{options.out}/z{coordinate:03d}.gif")


def main(arguments):
    """Explore. Returns the exit code."""
    options = flags().parse_args(arguments)
    cli.check_empty("--out", options.out)
    dcgan, step = cli.load_model(options)
    os.makedirs(options.out, exist_ok=True)
    options.function(options, dcgan)
    print(f"{options.command} of step {step} in {options.out}: " + ", ".join(sorted(os.listdir(options.out))))
    return 0


if __name__ == "__main__":
    cli.run(main)
