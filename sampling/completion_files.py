"""The files of a completion: photos and masks in; grids, each photo's completion and its losses out."""

import os

import numpy as np

import utils
from cli.interruption import Interruption
from cli.progress import Progress, duration
from errors import UserError
from photos import decoding
from runs.loading import load_model, settings_of
from sampling import blending, completion, faces, figures

# Leapfrog steps that are too long lose energy, and are rejected
HMC_REMEDY = "a smaller --hmcEps, such as 0.0003, makes it accept more"


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

    photos: a list of faces.Face
    masks: [N, S, S, 1], 1 where pixels are known
    settings: a settings.SearchSettings
    lowres: the means of blocks are known, instead of pixels
    """

    def __init__(self, folder, photos, masks, settings, lowres):
        self.folder, self.photos, self.masks, self.settings = folder, photos, masks, settings
        self.pixels = pixels = np.stack([photo.pixels for photo in photos])
        for inner in ("completed", "hats_imgs", "logs"):  # the original's names
            os.makedirs(os.path.join(folder, inner))
        self.images = utils.transform(pixels)
        hidden = completion.known_blocks(pixels) if lowres else pixels * masks + 127.5 * (1 - masks)
        self.hidden = hidden.round().astype("uint8")
        self.losses, self.z, self.iteration = [], [], 0  # total loss and z of each report, of each photo
        self._save_grid(pixels, "before.png")
        self._save_grid(self.hidden, "masked.png")

    def _save_grid(self, pixels, *path, columns=None):
        utils.save_image(utils.merge(pixels, columns), os.path.join(self.folder, *path))

    def add(self, iteration, z, generated, contextual, perceptual):
        """Write the grids and log lines of a report of completion.Search."""
        losses = contextual + self.settings.lam * perceptual
        self.losses.append(losses)
        self.z = [*self.z[:1], z]  # the first and the last
        self.iteration, self.generated = iteration, generated
        self.completed = utils.inverse_transform(blending.fill(self.images, generated, self.masks))
        self._save_grid(self.completed, "completed", f"{iteration:04d}.png")
        self._save_grid(utils.inverse_transform(generated), "hats_imgs", f"{iteration:04d}.png")
        for i, (*numbers, row) in enumerate(zip(losses, contextual, perceptual, z)):
            words = [str(iteration), *(f"{x:.6f}" for x in numbers), *(f"{x:.5f}" for x in row)]
            with open(os.path.join(self.folder, "logs", f"hats_{i:02d}.log"), "a") as log:
                log.write(" ".join(words) + "\n")

    def finish(self, blend):
        """Write each photo's last completion, put back into the whole photo if it was aligned, and the overview.

        Yields a line on each photo.

        blend: fill the holes without a seam
        """
        if blend:
            completed = [blending.blend(*triple) for triple in zip(self.images, self.generated, self.masks)]
            self.completed = utils.inverse_transform(completed)
            self._save_grid(self.completed, "completed", f"{self.iteration:04d}.png")
        captions = []
        for k, name in enumerate(faces.unique_names([photo.path for photo in self.photos])):
            photo, completed = self.photos[k], self.completed[k]
            utils.save_image(completed, os.path.join(self.folder, "completed", f"photo_{name}.png"))
            if photo.transform is not None:
                try:
                    whole = faces.put_back(photo, completed, self.masks[k])
                    utils.save_image(whole, os.path.join(self.folder, "completed", f"whole_{name}.png"))
                except decoding.PhotoError as error:
                    yield f"warning: {photo.path}: can't be read again, so its completion is not put back ({error})"
            quality = blending.psnr(utils.transform(completed), self.images[k], self.masks[k])
            decibels = f"{quality:.1f} dB" if np.isfinite(quality) else "nothing hidden"
            captions += [name, "hidden", f"completed: {decibels}"]
            in_hole = f", PSNR in the hole {decibels}" if np.isfinite(quality) else ""
            yield f"{photo.path}: loss {self.losses[0][k]:.2f} -> {self.losses[-1][k]:.2f}{in_hole}"
        rows = np.stack([self.pixels, self.hidden, self.completed], axis=1)
        utils.save_image(figures.sheet(rows, captions), os.path.join(self.folder, "overview.png"))

    def unmoved(self):
        """How many photos' z are still where the search began."""
        return int((self.z[0] == self.z[-1]).all(axis=1).sum())


def complete(network, images, settings):
    """Complete photos, and print what became of them. Returns the exit code.

    network: a network.Network
    images: paths of photos
    settings: a settings.CompletionSettings

    Raises UserError before any work for what can't be done.
    """
    size, c_dim = (settings_of(network)[name] for name in ("image_size", "c_dim"))
    if settings.imgSize not in (None, size):
        raise UserError(f"--imgSize {settings.imgSize}: the network draws {size} pixels; leave the flag out")
    photos = faces.read(images, size, c_dim, settings.align)
    if settings.mask:
        mask = read_mask(settings.mask, size)
        print(f"the mask hides {1 - mask.mean():.0%} of each photo")
    else:
        mask = completion.make_mask(settings.maskType, size, settings.centerScale, settings.seed)
    masks = np.repeat(mask[None], len(photos), axis=0)
    lowres = settings.maskType == "lowres" and not settings.mask
    files = CompletionFiles(settings.outDir, photos, masks, settings, lowres)
    search = completion.Search(load_model(network, settings.precision), settings, lowres)
    progress = Progress("completing", len(photos) * settings.nIter)
    with Interruption("writing what is there") as interruption:
        for report in search.reports(files.images, masks, progress.advance, lambda: interruption.signal):
            files.add(*report)
        progress.close()
        lines = list(files.finish(settings.blend)) if files.losses else ["interrupted before the first completions"]
    code = interruption.exit_code
    print(*lines, sep="\n")
    if not files.losses:
        return code
    if settings.approach == "hmc" and files.unmoved():
        print(f"warning: HMC accepted no proposal for {files.unmoved()} of {len(photos)} photos; {HMC_REMEDY}")
    if files.iteration < settings.nIter:
        print(f"interrupted after {files.iteration:,} of {settings.nIter:,} iterations")
    else:
        print(f"done in {duration(progress.took())}, {progress.took() / len(photos):.1f} s per photo")
    each = "and each, also put back into its photo," if settings.align else "and each"
    print(f"completions: {os.path.join(settings.outDir, 'overview.png')}, {each} in {settings.outDir}/completed")
    return code
