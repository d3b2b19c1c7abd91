"""The files of a completion: photos and masks in; grids, each photo's completion and its losses out."""

import os

import numpy as np

import utils
from errors import UserError
from photos import decoding
from sampling import blending, completion


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

    pixels: the photos, uint8 [N, S, S, C]
    masks: [N, S, S, 1], 1 where pixels are known
    settings: a completion.SearchSettings
    lowres: the means of blocks are known, instead of pixels
    blend: fill the holes without a seam
    """

    def __init__(self, folder, pixels, masks, settings, lowres, blend):
        self.folder, self.masks, self.settings, self.blend = folder, masks, settings, blend
        for inner in ("completed", "hats_imgs", "logs"):  # the original's names
            os.makedirs(os.path.join(folder, inner))
        self.images = utils.transform(pixels)
        self.grids = {}  # iteration -> (completed, G(z)) of all photos
        self._save_grid(pixels, "before.png")
        hidden = completion.known_blocks(pixels) if lowres else pixels * masks + 127.5 * (1 - masks)
        self._save_grid(hidden.round().astype("uint8"), "masked.png")

    def _save_grid(self, pixels, *path):
        utils.save_image(utils.merge(pixels), os.path.join(self.folder, *path))

    def add(self, first, iteration, z, generated, contextual, perceptual):
        """Keep what completion.Search reported of some photos, of which `first` is the first one's index."""
        part = slice(first, first + len(z))
        images, masks = self.images[part], self.masks[part]
        if self.blend and iteration == self.settings.nIter:
            completed = [blending.blend(*triple) for triple in zip(images, generated, masks)]
        else:
            completed = blending.fill(images, generated, masks)
        grids = self.grids.setdefault(iteration, ([], []))
        grids[0].extend(utils.inverse_transform(completed))
        grids[1].extend(utils.inverse_transform(generated))
        for i in range(len(z)):
            loss = contextual[i] + self.settings.lam * perceptual[i]
            with open(os.path.join(self.folder, "logs", f"hats_{first + i:02d}.log"), "a") as log:
                numbers = " ".join(f"{x:.5f}" for x in z[i])
                log.write(f"{iteration} {loss:.6f} {contextual[i]:.6f} {perceptual[i]:.6f} {numbers}\n")

    @property
    def completed(self):
        """The final completions, uint8 [S, S, C] each."""
        return self.grids[self.settings.nIter][0]

    def write(self):
        """Write the grids, and each photo's completion."""
        for iteration, (completed, generated) in self.grids.items():
            self._save_grid(completed, "completed", f"{iteration:04d}.png")
            self._save_grid(generated, "hats_imgs", f"{iteration:04d}.png")
        for k, pixels in enumerate(self.completed):
            utils.save_image(pixels, os.path.join(self.folder, "completed", f"photo_{k:02d}.png"))
