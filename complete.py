#!/usr/bin/env python3
"""Complete photos: fill a hole with what a trained network finds to fit.

    ./complete.py --checkpoint_dir checkpoints --maskType center photos/*.png

Photos of any size are cut to their middle square and resized to the network's images; aligned faces
do best. In --outDir come before.png, masked.png, completed/ (grids every --outInterval iterations
and, of each photo, the last one), hats_imgs/ (G(z) alone) and logs/ (losses of each photo).
"""

import os
import time

import cli

cli.check_python()

from errors import UserError  # noqa: E402


def flags():
    """The command line. Names and defaults are the original's."""
    parser = cli.parser(__doc__)
    cli.add_checkpoint_flags(parser)
    add, real, whole = parser.add_argument, cli.real, cli.whole
    add("images", nargs="+", metavar="IMAGE", help="photos to complete")
    add("--outDir", default="completions", metavar="DIR", help="a new or empty folder (default: completions)")
    add("--maskType", choices=["random", "center", "left", "full", "grid", "lowres"], default="center",
        help="the hole: a fifth of the pixels, the middle, the left half, nothing, all but every fourth pixel, "
        "all but the means of 8x8 blocks (default: center)")  # fmt: skip
    add("--centerScale", type=real(0, 0.5), default=0.25, metavar="X", help="where the middle begins (default: 0.25)")
    add("--mask", metavar="FILE", help="a hole of your own instead: a picture, black where it is unknown")
    add("--approach", choices=["adam", "hmc"], default="adam", help="how z is searched (default: adam)")
    add("--nIter", type=whole(1), default=1000, metavar="N", help="iterations (default: 1000)")
    add("--lam", type=real(0), default=0.1, metavar="X", help="weight of the perceptual loss (default: 0.1)")
    add("--lr", type=real(0), default=0.01, metavar="X", help="adam: learning rate (default: 0.01)")
    add("--beta1", type=real(0, 1), default=0.9, metavar="X", help="adam (default: 0.9)")
    add("--beta2", type=real(0, 1), default=0.999, metavar="X", help="adam (default: 0.999)")
    add("--eps", type=real(0), default=1e-8, metavar="X", help="adam (default: 1e-8)")
    add("--hmcBeta", type=real(0), default=0.2, metavar="X", help="hmc: inverse temperature (default: 0.2)")
    add("--hmcEps", type=real(0), default=0.001, metavar="X", help="hmc: size of a leapfrog step (default: 0.001)")
    add("--hmcL", type=whole(1), default=100, metavar="N", help="hmc: leapfrog steps an iteration (default: 100)")
    add("--hmcAnneal", type=real(0), default=1.0, metavar="X", help="hmc: hmcBeta's factor an iteration (default: 1)")
    add("--outInterval", type=whole(1), default=50, metavar="N", help="iterations between grids (default: 50)")
    add("--restarts", type=whole(1, 64), default=1, metavar="N", help="searches a photo, the best is kept (default: 1)")
    add("--blend", action="store_true", help="fill the hole without a seam (Poisson blending)")
    add("--precision", choices=["float32", "bfloat16"], default="float32", help="of the networks (default: float32)")
    add("--seed", type=whole(0), default=0, metavar="N", help="of the first z and of random masks (default: 0)")
    return parser


def read(path, flag, dcgan):
    """A photo as the network's images are -> uint8 [S, S, C]. Raises UserError."""
    import numpy as np

    from photos import decoding

    try:
        image = decoding.square(decoding.open_rgb(path), dcgan.image_size)
    except decoding.PhotoError as error:
        raise UserError(f"{flag}{path}: {error}") from error
    return np.asarray(image) if dcgan.c_dim == 3 else np.asarray(image.convert("L"))[..., None]


class Results:
    """The files of a run. `masks` [N, S, S, 1]; every grid holds all photos."""

    def __init__(self, options, pixels, masks):
        import utils
        from sampling import completion

        self.options, self.pixels, self.masks = options, pixels, masks
        for folder in ("completed", "hats_imgs", "logs"):
            os.makedirs(os.path.join(options.outDir, folder))
        self.images = utils.transform(pixels)
        self.grids = {}  # iteration -> [completed, hats] of all photos
        utils.save_image(utils.merge(pixels), os.path.join(options.outDir, "before.png"))
        hidden = pixels * masks + 127.5 * (1 - masks)
        if options.maskType == "lowres":
            hidden = completion.known_blocks(pixels)
        utils.save_image(utils.merge(hidden.round().astype("uint8")), os.path.join(options.outDir, "masked.png"))

    def fill(self, generated, part, final):
        """Photos with their holes filled."""
        from sampling import completion

        images, masks = self.images[part], self.masks[part]
        if final and self.options.blend:
            return [completion.blend(*triple) for triple in zip(images, generated, masks)]
        return completion.fill(images, generated, masks)

    def add(self, part, iteration, z, generated, contextual, perceptual):
        """Keep what came of some photos (a slice) after an iteration."""
        import numpy as np

        import utils

        completed = self.fill(generated, part, iteration == self.options.nIter)
        grids = self.grids.setdefault(iteration, ([], []))
        grids[0].extend(utils.inverse_transform(completed))
        grids[1].extend(utils.inverse_transform(generated))
        for i, k in enumerate(range(part.start, part.start + len(z))):
            with open(os.path.join(self.options.outDir, "logs", f"hats_{k:02d}.log"), "a") as log:
                losses = (
                    f"{contextual[i] + self.options.lam * perceptual[i]:.6f} {contextual[i]:.6f} {perceptual[i]:.6f}"
                )
                log.write(f"{iteration} {losses} {' '.join(f'{x:.5f}' for x in np.asarray(z[i]))}\n")

    def write(self):
        """The grids, and of each photo its completion."""
        import utils

        for iteration, (completed, hats) in self.grids.items():
            utils.save_image(
                utils.merge(completed), os.path.join(self.options.outDir, "completed", f"{iteration:04d}.png")
            )
            utils.save_image(utils.merge(hats), os.path.join(self.options.outDir, "hats_imgs", f"{iteration:04d}.png"))
        for k, pixels in enumerate(self.grids[self.options.nIter][0]):
            utils.save_image(pixels, os.path.join(self.options.outDir, "completed", f"photo_{k:02d}.png"))


def main(arguments):
    """Complete. Returns the exit code."""
    options = flags().parse_args(arguments)
    cli.check_empty("--outDir", options.outDir)
    dcgan, _ = cli.load_model(options, options.precision)
    import numpy as np

    import utils
    from sampling import completion

    pixels = np.stack([read(path, "", dcgan) for path in options.images])
    if options.mask:
        options.maskType = "own"
        mask = (read(options.mask, "--mask ", dcgan).mean(axis=-1, keepdims=True) >= 128).astype(np.float32)
    else:
        mask = completion.make_mask(options.maskType, dcgan.image_size, options.centerScale, options.seed)
    masks = np.repeat(mask[None], len(pixels), axis=0)
    results = Results(options, pixels, masks)
    search = completion.Search(dcgan, options, options.maskType == "lowres")
    began = time.time()
    for start in range(0, len(pixels), completion.BATCH):
        part = slice(start, start + completion.BATCH)
        last = {}

        def report(iteration, z, generated, contextual, perceptual, part=part, last=last):
            results.add(part, iteration, z, generated, contextual, perceptual)
            last.setdefault("first", contextual + options.lam * perceptual)
            last["loss"] = contextual + options.lam * perceptual

        search.complete(results.images[part], masks[part], report)
        for k, (first, loss) in enumerate(zip(last["first"], last["loss"]), start=start):
            finished = utils.transform(results.grids[options.nIter][0][k])
            quality = completion.psnr(finished, results.images[k], masks[k])
            hole = f", PSNR in the hole {quality:.1f} dB" if np.isfinite(quality) else ""
            print(f"{options.images[k]}: loss {first:.2f} -> {loss:.2f}{hole}")
    results.write()
    runs = -(-len(pixels) // completion.BATCH) * options.nIter
    print(f"{runs / (time.time() - began):.1f} iterations/s of {completion.BATCH} photos in {options.precision}")
    print(f"completions in {options.outDir}")
    return 0


if __name__ == "__main__":
    cli.run(main)
