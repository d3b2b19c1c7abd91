"""The files of a completion: photos and masks in; grids, each photo's completion and its losses out."""

import os

import numpy as np

import utils
from cli.interruption import Interruption
from cli.progress import Progress, duration
from errors import UserError
from photos import decoding
from runs.loading import load_model
from runs.network import describe
from sampling import blending, completion

LONGEST = 100  # bytes of a photo's name in that of its completion


def read_photo(path, size, c_dim):
    """A photo's central square: uint8 [size, size, c_dim]. Raises UserError."""
    try:
        return decoding.load(path, size, c_dim)
    except decoding.PhotoError as error:
        raise UserError(f"{path}: {error}") from error


def read_mask(path, size):
    """A mask from a picture that is black where the photo is hidden -> float32 [size, size, 1].

    Transparent pixels count as white, and a picture of zeros and ones as black and white. Raises
    UserError, also for a mask that hides nothing or everything.
    """
    try:
        picture = decoding.open_rgb(path, background="white")
    except decoding.PhotoError as error:
        raise UserError(f"--mask {path}: {error}") from error
    if np.asarray(picture).max() == 1:
        picture = picture.point(lambda value: value * 255)
    mask = (np.asarray(decoding.square(picture, size)).mean(axis=-1, keepdims=True) >= 128).astype(np.float32)
    if mask.all() or not mask.any():
        hides = "nothing" if mask.all() else "everything"
        raise UserError(f"--mask {path}: hides {hides}; paint black what is to be hidden, and leave the rest white")
    return mask


class CompletionFiles:
    """Writes what complete.py finds into a folder, which it makes.

    names: the photos' paths
    pixels: the photos, uint8 [N, S, S, C]
    masks: [N, S, S, 1], 1 where pixels are known
    settings: a settings.SearchSettings
    lowres: the means of blocks are known, instead of pixels
    """

    def __init__(self, folder, names, pixels, masks, settings, lowres):
        self.folder, self.names, self.pixels = folder, names, pixels
        self.masks, self.settings = masks, settings
        for inner in ("completed", "hats_imgs", "logs"):  # the original's names
            os.makedirs(os.path.join(folder, inner))
        self.images = utils.transform(pixels)
        hidden = completion.known_blocks(pixels) if lowres else pixels * masks + 127.5 * (1 - masks)
        self.hidden = hidden.round().astype("uint8")
        self.losses, self.iteration = [], 0  # total loss of each report, of each photo
        self._save_grid(pixels, "before.png")
        self._save_grid(self.hidden, "masked.png")

    def _save_grid(self, pixels, *path, columns=None):
        utils.save_image(utils.merge(pixels, columns), os.path.join(self.folder, *path))

    def add(self, iteration, z, generated, contextual, perceptual):
        """Write the grids and log lines of a report of completion.Search."""
        losses = contextual + self.settings.lam * perceptual
        self.losses.append(losses)
        self.iteration, self.generated = iteration, generated
        self.completed = utils.inverse_transform(blending.fill(self.images, generated, self.masks))
        self._save_grid(self.completed, "completed", f"{iteration:04d}.png")
        self._save_grid(utils.inverse_transform(generated), "hats_imgs", f"{iteration:04d}.png")
        for i, (*numbers, row) in enumerate(zip(losses, contextual, perceptual, z)):
            words = [str(iteration), *(f"{x:.6f}" for x in numbers), *(f"{x:.5f}" for x in row)]
            with open(os.path.join(self.folder, "logs", f"hats_{i:02d}.log"), "a") as log:
                log.write(" ".join(words) + "\n")

    def finish(self, blend):
        """Write each photo's last completion and the overview. Yields a line on each photo.

        blend: fill the holes without a seam
        """
        if blend:
            completed = [blending.blend(*triple) for triple in zip(self.images, self.generated, self.masks)]
            self.completed = utils.inverse_transform(completed)
            self._save_grid(self.completed, "completed", f"{self.iteration:04d}.png")
        rows = np.stack([self.pixels, self.hidden, self.completed], axis=1)
        self._save_grid(rows.reshape(-1, *rows.shape[2:]), "overview.png", columns=3)
        for k, name in enumerate(unique_names(self.names)):
            utils.save_image(self.completed[k], os.path.join(self.folder, "completed", f"photo_{name}.png"))
            quality = blending.psnr(utils.transform(self.completed[k]), self.images[k], self.masks[k])
            in_hole = f", PSNR in the hole {quality:.1f} dB" if np.isfinite(quality) else ""
            yield f"{self.names[k]}: loss {self.losses[0][k]:.2f} -> {self.losses[-1][k]:.2f}{in_hole}"


def complete(network, images, settings):
    """Complete photos, and print what became of them. Returns the exit code.

    network: a network.Network
    images: paths of photos
    settings: a settings.CompletionSettings

    Raises UserError before any work for what can't be done.
    """
    describe(network)
    dcgan = load_model(network, settings.precision)
    size = dcgan.image_size
    if settings.imgSize not in (None, size):
        raise UserError(f"--imgSize {settings.imgSize}: the network draws {size} pixels; leave the flag out")
    pixels = np.stack([read_photo(path, size, dcgan.c_dim) for path in images])
    if settings.mask:
        mask = read_mask(settings.mask, size)
        print(f"the mask hides {1 - mask.mean():.0%} of each photo")
    else:
        mask = completion.make_mask(settings.maskType, size, settings.centerScale, settings.seed)
    masks = np.repeat(mask[None], len(pixels), axis=0)
    lowres = settings.maskType == "lowres" and not settings.mask
    files = CompletionFiles(settings.outDir, images, pixels, masks, settings, lowres)
    search = completion.Search(dcgan, settings, lowres)
    progress = Progress("completing", len(pixels) * settings.nIter)
    with Interruption("writing what is there") as interruption:
        for report in search.reports(files.images, masks, progress.advance, lambda: interruption.signal):
            files.add(*report)
        progress.close()
        lines = list(files.finish(settings.blend)) if files.losses else ["interrupted before the first completions"]
    code = interruption.exit_code
    print(*lines, sep="\n")
    if not files.losses:
        return code
    if files.iteration < settings.nIter:
        print(f"interrupted after {files.iteration:,} of {settings.nIter:,} iterations")
    else:
        print(f"done in {duration(progress.took())}, {progress.took() / len(pixels):.1f} s per photo")
    print(f"completions: {os.path.join(settings.outDir, 'overview.png')}, and each in {settings.outDir}/completed")
    return code


def unique_names(paths, taken=()):
    """The files' names without folder and ending; equal ones, and those taken, get a number: a, a-2, a-3."""
    names = []
    for path in paths:
        name = base = shortened(os.path.splitext(os.path.basename(path))[0])
        number = 1
        while name in names or name in taken:
            number += 1
            name = f"{base}-{number}"
        names.append(name)
    return names


def shortened(name):
    """A name that leaves room for what is added to it: file systems take 255 bytes, and eCryptfs 143."""
    return os.fsencode(name)[:LONGEST].decode(errors="ignore")
