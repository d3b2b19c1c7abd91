#!/usr/bin/env python3
"""Complete photos: fill a hole with what a trained network finds plausible.

    ./complete.py --checkpoint_dir checkpoints --maskType center my-photos/*.png

Photos of any size are cropped to their central square and resized to the network's image size;
aligned faces give the best results. --outDir receives before.png, masked.png, completed/ (a grid every
--outInterval iterations, and each photo's last completion), hats_imgs/ (G(z) alone) and logs/ (the
losses of each photo).
"""

import dataclasses
import os
import time

import cli.program
from cli.flags import add_flag, check_empty, script_parser
from cli.kinds import one_of, real, text, whole
from devices import start
from errors import UserError
from runs.files import check_network
from runs.naming import add_network_flags, use_name


def flags():
    """The command line. Names and defaults are the original's."""
    parser = script_parser(__doc__)
    add_network_flags(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="photos to complete")
    masks = one_of("random", "center", "left", "full", "grid", "lowres")

    def add(name, kind, default, help):
        add_flag(parser, name, kind, default, help)

    add("outDir", text("DIR"), "completions", "folder for the results, new or empty")
    add("maskType", masks, "center", "what is hidden. random: a fifth of the pixels; center: the middle; left: the "
        "left half; full: nothing; grid: all but every fourth pixel in each direction; lowres: all but the means of "
        "8x8 blocks")  # fmt: skip
    add("centerScale", real(0, 0.5), 0.25, "where the hidden middle begins, as a share of the side")
    add("mask", text("FILE"), None, "a mask of your own instead: a picture, black where the photo is hidden")
    add("approach", one_of("adam", "hmc"), "adam", "how to search z")
    add("nIter", whole(1), 1000, "iterations")
    add("lam", real(0), 0.1, "weight of the perceptual loss")
    add("lr", real(0), 0.01, "adam: learning rate")
    add("beta1", real(0, 1), 0.9, "adam: decay rate of the first moment")
    add("beta2", real(0, 1), 0.999, "adam: decay rate of the second moment")
    add("eps", real(0), 1e-8, "adam: epsilon")
    add("hmcBeta", real(0), 0.2, "hmc: inverse temperature")
    add("hmcEps", real(0), 0.001, "hmc: size of a leapfrog step")
    add("hmcL", whole(1), 100, "hmc: leapfrog steps per iteration")
    add("hmcAnneal", real(0), 1.0, "hmc: factor of hmcBeta per iteration")
    add("outInterval", whole(1), 50, "iterations between grids")
    add("restarts", whole(1, 64), 1, "searches per photo, of which the best is kept")
    add("blend", None, False, "fill the hole without a seam (Poisson blending)")
    add("imgSize", whole(1), None, "the original's flag; the network's image size is the only one")
    add("precision", one_of("float32", "bfloat16"), "float32", "number format of convolutions and matrix products")
    add("seed", whole(0), 0, "seed of the first z and of random masks")
    return parser


def main(arguments):
    """Complete. Returns the exit code."""
    options = flags().parse_args(arguments)
    use_name(vars(options), arguments)
    check_empty("--outDir", options.outDir)
    check_network(options.checkpoint_dir, options.step)
    start.set_up()
    import numpy as np

    from cli import progress
    from runs import loading
    from sampling import completion, completion_files

    dcgan, _ = loading.load_model(options.checkpoint_dir, options.step, options.precision)
    if options.imgSize not in (None, dcgan.image_size):
        raise UserError(f"--imgSize {options.imgSize}: the network draws {dcgan.image_size} pixels; leave the flag out")
    pixels = np.stack([completion_files.read_photo(path, dcgan.image_size, dcgan.c_dim) for path in options.images])
    if options.mask:
        mask = completion_files.read_mask(options.mask, dcgan.image_size)
        print(f"the mask hides {1 - mask.mean():.0%} of each photo")
    else:
        mask = completion.make_mask(options.maskType, dcgan.image_size, options.centerScale, options.seed)
    masks = np.repeat(mask[None], len(pixels), axis=0)
    lowres = options.maskType == "lowres" and not options.mask
    names = [field.name for field in dataclasses.fields(completion.SearchSettings)]
    settings = completion.SearchSettings(**{name: getattr(options, name) for name in names})
    files = completion_files.CompletionFiles(options.outDir, options.images, pixels, masks, settings, lowres)
    search = completion.Search(dcgan, settings, lowres)
    bar, code, began = progress.Countdown(len(pixels) * options.nIter, "completing"), 0, time.time()
    cli.program.raise_on_signals()
    try:
        for report in search.reports(files.images, masks, bar.advance):
            files.add(*report)
    except KeyboardInterrupt as interruption:
        code = interruption.args[0]
    bar.close()
    took = time.time() - began
    if not files.losses:
        print("interrupted before the first completions")
        return code
    for line in files.finish(options.blend):
        print(line)
    if code:
        print(f"interrupted after {files.iteration:,} of {options.nIter:,} iterations")
    else:
        print(f"done in {progress.duration(took)}, {took / len(pixels):.1f} s per photo")
    print(f"completions: {os.path.join(options.outDir, 'overview.png')}, and each in {options.outDir}/completed")
    return code


if __name__ == "__main__":
    cli.program.run(main, less_memory="fewer --restarts")
