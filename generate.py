#!/usr/bin/env python3
"""Draw pictures with a trained network.

    ./generate.py --n 1000 --out faces/                        # 1,000 PNG files
    ./generate.py --name demo --n 100 --rank --grid best.png   # one sheet, the best first
    ./generate.py --seeds 3,7,10-20 --grid some.png            # these pictures alone

Needs only the checkpoint folder of a training run, or one with a TF1 checkpoint of the original
repository. Picture i of a seed is always the same.
"""

import os

import cli.program
from cli.flags import Parser, add_flag, check_empty, check_writable
from cli.kinds import text, whole
from devices import start
from errors import UserError
from runs.naming import add_network_flags, use_name
from runs.network import describe, find_network

drawing = cli.program.Later("sampling.drawing")


def flags():
    """The command line."""
    parser = Parser(__doc__)
    add_network_flags(parser)
    drawn, written = parser.add_argument_group("what to draw"), parser.add_argument_group("what to write")
    add, file, folder = add_flag, text("FILE"), text("DIR")
    add(drawn, "n", whole(1, 10**7), 64, "draw pictures 0 to N-1")
    add(drawn, "seed", whole(0), 0, "seed of the pictures")
    add(drawn, "seeds", text("LIST"), None, "draw the pictures with these numbers instead, such as 3,7,10-20")
    add(drawn, "z", file, None, "take the z of an .npz file instead")
    ranked = "order the pictures: first those in which dlib's detector finds a face, then by the discriminator's score"
    add(drawn, "rank", None, False, ranked)
    add(written, "out", folder, None, "write each picture as a PNG into this folder, which must be empty or new")
    add(written, "grid", file, None, "write all pictures as one PNG")
    add(written, "numbers", None, False, "draw each picture's number below it in the grid")
    add(written, "columns", whole(1), None, "columns of the grid (default: about a square)")
    add(written, "save_z", file, None, "write the z of the pictures to an .npz file")
    add(written, "export", text("DIR|FILE.onnx"), None, "write the generator as a SavedModel into this new folder, "
        "or as an ONNX file")  # fmt: skip
    return parser


def check(options):
    """Refuse, before any work, what can't be done. Raises UserError."""
    if not (options.out or options.grid or options.save_z or options.export):
        raise UserError("nothing to write: give --out, --grid, --save_z or --export")
    check_empty("--out", options.out)
    if options.export and options.export.lower().endswith(".onnx"):
        check_writable("--export", options.export)
    else:
        if os.path.splitext(options.export or "")[1]:
            raise UserError(f"--export {options.export}: give a new folder, or a file that ends in .onnx")
        check_empty("--export", options.export)
    check_writable("--grid", options.grid, ".png")
    check_writable("--save_z", options.save_z)


def main(arguments):
    """Draw. Returns the exit code."""
    options = flags().parse_args(arguments)
    use_name(vars(options), arguments)
    check(options)
    network = find_network(options.checkpoint_dir, options.step)
    describe(network)
    start.set_up()
    drawing.draw(network, options)
    return 0


if __name__ == "__main__":
    cli.program.run(main, less_memory="a smaller --n")
