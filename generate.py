#!/usr/bin/env python3
"""Draw pictures with a trained network.

    ./generate.py --checkpoint_dir checkpoints --n 1000 --out faces/
    ./generate.py --checkpoint_dir checkpoints --seeds 3,7,10-20 --grid sheet.png

Needs only the checkpoint folder of a training, or one with a TF1 checkpoint of the original
repository. Picture i of a seed is always the same.
"""

import os

import cli

cli.check_python()

from errors import UserError  # noqa: E402


def flags():
    """The command line."""
    parser = cli.parser(__doc__)
    cli.add_checkpoint_flags(parser)
    add = parser.add_argument
    add("--n", type=cli.whole(1, 10**7), default=64, metavar="N", help="pictures 0 to N-1 (default: 64)")
    add("--seed", type=cli.whole(0), default=0, metavar="N", help="of the pictures (default: 0)")
    add("--seeds", metavar="LIST", help="these pictures of the seed instead, such as 3,7,10-20")
    add("--z", metavar="FILE", help="the z of an .npz file instead")
    add("--rank", action="store_true", help="order by the discriminator's score, best first")
    add("--out", metavar="DIR", help="write each picture as a PNG into this folder, which must be empty or new")
    add("--grid", metavar="FILE", help="write all pictures as one PNG")
    add("--columns", type=cli.whole(1), metavar="N", help="columns of the grid (default: about a square)")
    add("--save_z", metavar="FILE", help="keep the z of the pictures in an .npz file")
    add("--export", metavar="DIR", help="write the generator as a SavedModel into this new folder")
    return parser


def check(options):
    """Refuse, before any work, what can't be done. Raises UserError."""
    if not (options.out or options.grid or options.save_z or options.export):
        raise UserError("nothing to write: give --out, --grid, --save_z or --export")
    for flag in ("out", "export"):
        cli.check_empty(f"--{flag}", getattr(options, flag))
    for flag in ("grid", "save_z"):
        cli.check_writable(f"--{flag}", getattr(options, flag))


def main(arguments):
    """Draw. Returns the exit code."""
    options = flags().parse_args(arguments)
    check(options)
    dcgan, step = cli.load_model(options)
    import utils
    from sampling import generation, latents

    if options.z:
        z = latents.load(options.z, dcgan.z_dim)
        picks = range(len(z))
    else:
        picks = latents.parse_picks(options.seeds, "--seeds") if options.seeds else range(options.n)
        z = latents.draw(options.seed, picks, dcgan.z_dim)
    names = [f"{i:05d}.png" for i in picks]
    if options.rank:
        scores = generation.scores(dcgan, z)
        order = scores.argsort(kind="stable")[::-1]
        z = z[order]
        names = [f"{rank:05d}_{scores[i]:.3f}_{names[i]}" for rank, i in enumerate(order)]
        print(f"D's scores: best {scores[order[0]]:.3f}, median {scores[order[len(z) // 2]]:.3f}")
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        for start in range(0, len(z), generation.BATCH):
            part = slice(start, start + generation.BATCH)
            for pixels, name in zip(generation.generate(dcgan, z[part]), names[part]):
                utils.save_image(pixels, os.path.join(options.out, name))
        print(f"{len(z):,} pictures of step {step} in {options.out}")
    if options.grid:
        utils.save_image(utils.merge(generation.generate(dcgan, z), options.columns), options.grid)
        print(f"{len(z):,} pictures of step {step} in {options.grid}")
    if options.save_z:
        latents.save(options.save_z, z)
        print(f"their z in {options.save_z}")
    if options.export:
        generation.export(dcgan, options.export)
        print(f"the generator as a SavedModel in {options.export}: z [N, {dcgan.z_dim}] -> images")
    return 0


if __name__ == "__main__":
    cli.run(main)
