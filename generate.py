#!/usr/bin/env python3
"""Draw pictures with a trained network.

    ./generate.py --checkpoint_dir checkpoints --n 1000 --out faces/
    ./generate.py --checkpoint_dir checkpoints --seeds 3,7,10-20 --grid sheet.png

Needs only the checkpoint folder of a training run, or one with a TF1 checkpoint of the original
repository. Picture i of a seed is always the same.
"""

import os

import cli.program
from cli.flags import add_flag, check_empty, check_writable, script_parser
from cli.kinds import text, whole
from devices import start
from errors import UserError
from runs.files import check_network
from runs.naming import add_network_flags, use_name

BEST = 16  # pictures whose numbers --rank prints


def flags():
    """The command line."""
    parser = script_parser(__doc__)
    add_network_flags(parser)
    add, file, folder = add_flag, text("FILE"), text("DIR")
    add(parser, "n", whole(1, 10**7), 64, "draw pictures 0 to N-1")
    add(parser, "seed", whole(0), 0, "seed of the pictures")
    add(parser, "seeds", text("LIST"), None, "draw the pictures with these numbers instead, such as 3,7,10-20")
    add(parser, "z", file, None, "take the z of an .npz file instead")
    add(parser, "rank", None, False, "order the pictures by the discriminator's score, best first")
    add(parser, "out", folder, None, "write each picture as a PNG into this folder, which must be empty or new")
    add(parser, "grid", file, None, "write all pictures as one PNG")
    add(parser, "numbers", None, False, "draw each picture's number below it in the grid")
    add(parser, "columns", whole(1), None, "columns of the grid (default: about a square)")
    add(parser, "save_z", file, None, "write the z of the pictures to an .npz file")
    add(parser, "export", text("DIR|FILE.onnx"), None, "write the generator as a SavedModel into this new folder, "
        "or as an ONNX file")  # fmt: skip
    return parser


def check(options):
    """Refuse, before any work, what can't be done. Raises UserError."""
    if not (options.out or options.grid or options.save_z or options.export):
        raise UserError("nothing to write: give --out, --grid, --save_z or --export")
    check_empty("--out", options.out)
    if is_onnx(options.export):
        check_writable("--export", options.export)
    else:
        check_empty("--export", options.export)
    check_writable("--grid", options.grid, ".png")
    check_writable("--save_z", options.save_z)
    check_network(options.checkpoint_dir, options.step)


def is_onnx(path):
    """Whether --export names an ONNX file."""
    return path is not None and path.lower().endswith(".onnx")


def main(arguments):
    """Draw. Returns the exit code."""
    options = flags().parse_args(arguments)
    use_name(vars(options), arguments)
    check(options)
    start.set_up()
    import utils
    from runs import loading
    from sampling import figures, generation, latents

    dcgan, step = loading.load_model(options.checkpoint_dir, options.step)
    if options.z:
        z = latents.load(options.z, dcgan.z_dim)
        numbers = range(len(z))
    else:
        numbers = latents.parse_numbers(options.seeds, "--seeds") if options.seeds else range(options.n)
        numbers = list(dict.fromkeys(numbers))  # a picture that is named twice is drawn once
        z = latents.draw(options.seed, numbers, dcgan.z_dim)
    names = [f"{i:05d}.png" for i in numbers]
    if options.rank:
        scores = generation.scores(dcgan, z)
        order = scores.argsort(kind="stable")[::-1]
        z = z[order]
        numbers = [numbers[i] for i in order]
        names = [f"{rank:05d}_{scores[i]:.3f}_{names[i]}" for rank, i in enumerate(order)]
        print(f"D's scores: best {scores[order[0]]:.3f}, median {scores[order[len(z) // 2]]:.3f}")
        if not options.z:
            print(f"the best, for --seeds: {','.join(map(str, numbers[:BEST]))}")
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        for first in range(0, len(z), generation.BATCH):
            part = slice(first, first + generation.BATCH)
            for pixels, name in zip(generation.generate(dcgan, z[part]), names[part]):
                utils.save_image(pixels, os.path.join(options.out, name))
        print(f"{len(z):,} pictures of step {step} in {options.out}")
    if options.grid:
        pictures = generation.generate(dcgan, z)
        pictures = figures.numbered(pictures, numbers) if options.numbers else pictures
        utils.save_image(utils.merge(pictures, options.columns), options.grid)
        print(f"{len(z):,} pictures of step {step} in {options.grid}")
    if options.save_z:
        latents.save(options.save_z, z)
        print(f"their z in {options.save_z}")
    if is_onnx(options.export):
        from sampling.onnx_export import export_onnx

        export_onnx(dcgan, options.export)
        print(f"the generator as ONNX in {options.export}: z [N, {dcgan.z_dim}] -> images, uint8")
    elif options.export:
        generation.export(dcgan, options.export)
        print(f"the generator as a SavedModel in {options.export}: z [N, {dcgan.z_dim}] -> images")
    return 0


if __name__ == "__main__":
    cli.program.run(main, less_memory="a smaller --n")
