"""What page.py does when something is clicked, moved or uploaded: pictures as HTML, from the functions of the scripts.

Gradio hands the values of components to a callback, and takes what it returns or yields. A collected
face is a pair: its z [z_dim], and its group, an index of GROUPS.
"""

import contextlib
import os

import gradio as gr
import numpy as np

import utils
from alignment.openface import AlignDlib
from errors import UserError
from sampling import blending, faces, generation, latents, projection
from sampling.settings import ProjectionSettings, SearchSettings
from webpage import html

FACES = 48  # drawn at a time
SLIDERS = 6  # principal directions
GROUPS = ["", "plus", "minus", "plus too"]  # what a click on a collected face steps through
SEARCH, PROJECTION = SearchSettings(outInterval=10), ProjectionSettings()


@contextlib.contextmanager
def on_the_page():
    """Show a UserError on the page until it is clicked away."""
    try:
        yield
    except UserError as error:
        raise gr.Error(f"{error}.", duration=None) from error


@contextlib.contextmanager
def read_once(upload):
    """Show what is wrong with an upload, without its path, and delete it."""
    try:
        yield
    except UserError as error:
        reason = str(error).rpartition(f"{upload}: ")[2]
        raise gr.Error(f"{reason[:1].upper()}{reason[1:]}.") from error
    finally:
        with contextlib.suppress(FileNotFoundError):  # the same file, uploaded twice, has one path
            os.remove(upload)


def mean(collected, group):
    """The mean z of the faces in a group, 0 without any."""
    members = [z for z, its_group in collected if its_group == group]
    return np.mean(members, axis=0) if members else 0


class Callbacks:
    """The callbacks, for a network.NewestModel."""

    def __init__(self, newest):
        self.newest, self.aligner = newest, AlignDlib()

    def network(self):
        """(dcgan, step), or an error on the page that says what to type."""
        with on_the_page():
            return self.newest.get()

    def search(self, settings):
        """A compiled completion.Search of the network, or such an error."""
        with on_the_page():
            return self.newest.search(settings)

    def drawn(self, z, caption):
        """G(z) as a figure. z: [z_dim], of any numbers."""
        z = np.float32(z).clip(-1, 1)
        return html.figure(generation.generate(self.network()[0], z[None])[0], caption, z)

    def read(self, upload):
        """The face in an uploaded photo, uint8 [S, S, C], and what to say of it. Deletes the upload."""
        with read_once(upload):
            dcgan, _ = self.network()
            if face := faces.aligned(upload, dcgan.image_size, dcgan.c_dim, self.aligner):
                return face.pixels, "Aligned."
            square = faces.centre(upload, dcgan.image_size, dcgan.c_dim)  # of an aligned face, perhaps
            return square, "No face found: its central square."

    def draw_faces(self, seed):
        """Faces of a seed -> their z, the gallery, and what to do next."""
        dcgan, step = self.network()
        z = latents.draw(int(seed), range(FACES), dcgan.z_dim)
        pictures = html.gallery(generation.generate(dcgan, z), range(FACES))
        return z, pictures, f"Step {step:,}. Click faces to collect them."

    def collect(self, z, collected, event: gr.EventData):
        """Add the clicked face of the gallery -> the collected faces, and how many they are."""
        collected = [*collected, (z[event.n], 1)]
        return collected, f"{len(collected)} collected; see Mix."

    def change_group(self, collected, event: gr.EventData):
        """Move the clicked face to the next group -> the collected faces."""
        return [(z, (group + (n == event.n)) % len(GROUPS)) for n, (z, group) in enumerate(collected)]

    def show_collected(self, collected):
        """The collected faces with their groups, as a gallery."""
        if not collected:
            return ""
        z, groups = zip(*collected)
        return html.gallery(generation.generate(self.network()[0], np.array(z)), [GROUPS[group] for group in groups])

    def mix(self, collected, *amounts):
        """plus - minus + plus too, moved along the principal directions -> a figure; nothing without faces."""
        if not collected:
            return ""
        directions = latents.principal_directions(self.network()[0], SLIDERS)
        moved = np.array(amounts[: len(directions)]) @ directions
        mixed = mean(collected, 1) - mean(collected, 2) + mean(collected, 3)
        return self.drawn(mixed + moved, "plus - minus + plus too, moved by the sliders.")

    def between(self, collected, t, arc):
        """A face between the first two, t from 0 to 1 -> a figure."""
        if len(collected) < 2:
            raise gr.Error("Collect two faces first, in the tab Faces.")
        interpolate = latents.slerp if arc else latents.lerp
        return self.drawn(interpolate(collected[0][0], collected[1][0], t), "Between the first two.")

    def project(self, upload):
        """Search an uploaded photo's z. Yields the photo and the picture so far as figures, and z."""
        pixels, said = self.read(upload)
        photo = html.figure(pixels, said)
        for iteration, z, generated in projection.project(self.search(PROJECTION), pixels[None]):
            near = blending.psnr(utils.transform(generated[0]), utils.transform(pixels))
            caption = f"{iteration} of {PROJECTION.nIter} iterations, PSNR {near:.1f} dB."
            yield photo, html.figure(generated[0], caption, z[0]), z[0]

    def load_direction(self, upload):
        """The direction in an uploaded .npz file [z_dim]. Deletes the upload."""
        with read_once(upload):
            return latents.load(upload, self.network()[0].z_dim, "The direction")[0]

    def edit(self, z, collected, loaded, amount, loaded_amount):
        """z moved along plus - minus and along the loaded direction -> a figure."""
        if z is None:
            raise gr.Error("Upload a photo first.")
        made = mean(collected, 1) - mean(collected, 2)
        loaded = 0 if loaded is None else loaded
        return self.drawn(z + amount * made + loaded_amount * loaded, "Moved by the sliders.")

    def show_photo(self, upload):
        """An uploaded photo -> its pixels, the value of html.PAINT without a hole, and what to do next."""
        pixels, said = self.read(upload)
        return pixels, {"photo": html.png_url(pixels), "hole": [], "size": len(pixels)}, said + " Paint the hole."

    def complete(self, pixels, painted, blend):
        """Search what fills the painted hole. Yields the completion so far as a figure."""
        if pixels is None or not painted["hole"]:
            raise gr.Error("Upload a photo, and paint over what is to be filled.")
        mask = np.ones(pixels.shape[0] ** 2, np.float32)
        mask[[i for i in painted["hole"] if 0 <= i < mask.size]] = 0
        mask, image = mask.reshape(1, *pixels.shape[:2], 1), utils.transform(pixels[None])
        for iteration, z, generated, *_ in self.search(SEARCH).reports(image, mask):
            filled = blending.fill(image, generated, mask)
            if blend:
                filled = blending.blend(image[0], generated[0], mask[0])[None]
            caption = f"{iteration} of {SEARCH.nIter:,} iterations."
            yield html.figure(utils.inverse_transform(filled)[0], caption, z[0])
