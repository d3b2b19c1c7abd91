"""What page.py does when something is clicked, moved or uploaded, with the functions of the scripts.

Gradio hands the values of components to a callback, and takes what it returns or yields. `run` is everywhere the folder
of the chosen network, `z` the face on the right before the sliders move it [z_dim], or None.
"""

import contextlib
import os
import sys
import threading

import gradio as gr
import numpy as np
from PIL import Image

import utils
from alignment.openface import AlignDlib
from errors import UserError
from photos import decoding
from sampling import blending, completion, directions, faces, generation, latents, projection
from sampling.settings import ProjectionSettings, SearchSettings
from webpage import pictures

FACES = 24  # drawn at a time
EXAMPLES = 6  # generated faces to try things on
SLIDERS = 12  # at most
SEARCH = SearchSettings(approach="lbfgs", outInterval=10)
PROJECTION = ProjectionSettings(outInterval=10)
BOXES = ("A", "B", "C")


def refuse(sentence):
    """An error on the page, which goes away, and a line in the terminal."""
    print(f"page: {sentence}", file=sys.stderr)
    raise gr.Error(sentence, print_exception=False)


@contextlib.contextmanager
def on_the_page():
    """Show a UserError on the page."""
    try:
        yield
    except UserError as error:
        refuse(f"{error}.")


@contextlib.contextmanager
def read_once(upload):
    """Show what is wrong with an upload, without its path, and delete it."""
    try:
        yield
    except UserError as error:
        reason = str(error).rpartition(f"{upload}: ")[2]
        refuse(f"{reason[:1].upper()}{reason[1:]}.")
    finally:
        with contextlib.suppress(FileNotFoundError):  # the same file, uploaded twice, has one path
            os.remove(upload)


def slid(vectors, z, amounts):
    """z moved along the directions by the amounts of the sliders, and kept within [-1, 1]."""
    moves = np.float32(amounts[: len(vectors)]) @ vectors[: len(amounts)] if amounts else 0
    return np.float32(z + moves).clip(-1, 1)


class Callbacks:
    """The callbacks, for a network.Networks."""

    def __init__(self, networks):
        self.networks, self.aligner = networks, AlignDlib()
        self.aligning = threading.Lock()  # dlib's detector serves one thread at a time

    def dcgan(self, run):
        """The newest network of a run, or an error on the page."""
        with on_the_page():
            return self.networks[run].get()[0]

    # The network and its faces

    def open(self, run):
        """A chosen network: what it is, its first faces, examples, and sliders that are back in the middle."""
        with on_the_page():
            about = self.networks[run].about()
            labels, vectors, named = self.networks[run].sliders()
        sliders = [
            gr.Slider(label=labels[i] if i < len(labels) else "", value=0, visible=i < len(labels))
            for i in range(SLIDERS)
        ]
        dcgan = self.dcgan(run)
        z = latents.draw(1, range(EXAMPLES), dcgan.z_dim)
        examples = [(picture, None) for picture in generation.generate(dcgan, z)]
        return f"**{pictures.text(about)}**", examples, examples, gr.Button(visible=not named), vectors, *sliders

    def draw(self, run, seed):
        """Faces of a seed -> their z, and the gallery."""
        dcgan = self.dcgan(run)
        z = latents.draw(int(seed or 0), range(FACES), dcgan.z_dim)
        return z, list(zip(generation.generate(dcgan, z), map(str, range(FACES))))

    def more(self, run, seed):
        """The faces of the next seed -> the seed, their z, and the gallery."""
        return int(seed or 0) + 1, *self.draw(run, int(seed or 0) + 1)

    def find_directions(self, run):
        """Find what makes faces smile, turn, ... Yields what to say, whether it may be stopped, and the sliders."""
        said = "Drawing and measuring 2,500 faces, which takes a minute or two: {} of {} steps."
        stop, rest = gr.Button(visible=True), [gr.skip()] * (SLIDERS + 2)
        yield said.format(0, directions.STEPS), stop, *rest
        try:
            for done, _ in enumerate(self.networks[run].find_directions(), start=1):
                yield said.format(done, directions.STEPS), stop, *rest
        except UserError as error:
            yield "", gr.Button(visible=False), *rest
            refuse(f"{error}.")
        yield "The sliders have names now.", gr.Button(visible=False), *self.open(run)[3:]

    # The face on the right

    def pick(self, run, z, event: gr.SelectData):
        """A clicked face of the gallery -> what `start` returns."""
        return self.start(run, z[event.index], f"Face {event.index}.")

    def first(self, run, z):
        """The first face of the gallery, as a page begins -> the gallery with its mark, and what `start` returns."""
        return gr.Gallery(selected_index=0), *self.start(run, z[0], "Face 0. Click another one, or put in a photo.")

    def start(self, run, z, said):
        """A face, with all sliders in the middle -> z, its picture, the link to z, what to say, buttons, sliders."""
        picture, link = self.moved(run, None, z)
        return z, picture, link, said, *[gr.Button(interactive=True)] * len(BOXES), *[0] * SLIDERS

    def moved(self, run, vectors, z, *amounts):
        """G(z moved by the sliders) -> the picture, and a link to its z."""
        if z is None:
            return gr.skip(), gr.skip()
        z = slid(vectors, z, amounts)
        return generation.generate(self.dcgan(run), z[None])[0], pictures.z_link(z)

    def put(self, run, box, boxes, vectors, z, *amounts):
        """Put the face on the right into a box -> the boxes, its picture, and whether the next buttons work."""
        boxes = {**boxes, BOXES[box]: slid(vectors, z, amounts)}
        picture = generation.generate(self.dcgan(run), boxes[BOXES[box]][None])[0]
        two = {"A", "B"} <= boxes.keys()
        ready = gr.Button(interactive=len(boxes) == len(BOXES)), gr.Slider(interactive=two), gr.Button(interactive=two)
        return boxes, picture, *ready

    def combine(self, run, boxes):
        """A - B + C -> what `start` returns."""
        return self.start(run, (boxes["A"] - boxes["B"] + boxes["C"]).clip(-1, 1), "A - B + C.")

    def between(self, run, boxes, t):
        """A face on the arc from A to B -> what `start` returns."""
        return self.start(run, latents.slerp(boxes["A"], boxes["B"], t), f"{t:.0%} of the way from A to B.")

    def keep(self, run, boxes, name):
        """Keep A - B as a slider with a name -> what to say, an empty name, vectors, and the sliders with one more."""
        if not {"A", "B"} <= boxes.keys():
            refuse("Put faces into A and B first.")
        if len(self.networks[run].sliders()[0]) == SLIDERS:
            refuse(f"There are {SLIDERS} sliders already.")
        name = name.strip()
        with on_the_page():
            kept = self.networks[run].keep(name, (boxes["A"] - boxes["B"]) / 2)
        lasts = f"./explore.py edit --direction {name} takes it too" if kept else "it lasts as long as this page runs"
        labels, vectors, _ = self.networks[run].sliders()
        new = [
            gr.Slider(label=name, value=0, visible=True) if i == len(labels) - 1 else gr.skip() for i in range(SLIDERS)
        ]
        return f"A slider for {name}; {lasts}.", "", vectors, *new

    # A photo

    def crop(self, run, upload):
        """The face in an uploaded photo, uint8 [S, S, C], and what to say of it. Deletes the upload."""
        with read_once(upload):
            photo = faces.decode(upload)
        dcgan = self.dcgan(run)
        with self.aligning:
            face = faces.face_in(upload, photo, dcgan.image_size, dcgan.c_dim, self.aligner)
        if face:
            return face.pixels, "The face that was found, aligned."
        square = decoding.square(Image.fromarray(photo), dcgan.image_size)  # of an aligned face, perhaps
        return decoding.pixels_of(square, dcgan.c_dim), "No face was found: the photo's central square."

    def example(self, run, event: gr.SelectData):
        """A clicked example -> its pixels, and what to say of it."""
        dcgan = self.dcgan(run)
        z = latents.draw(1, [event.index], dcgan.z_dim)
        return generation.generate(dcgan, z)[0], "A generated face."

    def project(self, run, pixels):
        """Search the z of a face. Yields what `start` returns, as it goes."""
        with on_the_page():
            search = self.networks[run].search(PROJECTION)
        for iteration, z, generated in projection.project(search, pixels[None]):
            near = blending.psnr(utils.transform(generated[0]), utils.transform(pixels))
            yield self.start(run, z[0], f"{iteration} of {PROJECTION.nIter} iterations, PSNR {near:.1f} dB.")

    # Completion

    def to_paint(self, pixels):
        """A new face to paint on -> the painting, an empty result, and what to say."""
        return (pixels, None), None, "Paint over what is to be filled, or take one of the masks."

    def mask(self, pixels, kind):
        """The painting with one of the original's masks."""
        return pixels, completion.make_mask(kind, len(pixels))[..., 0] == 0

    def hole(self, pixels, painted):
        """What is painted -> the hole bool [S, S], and a button that stops."""
        hole = pictures.hole_of(painted, len(pixels))
        if not hole.any():
            refuse("Paint over what is to be filled.")
        return hole, gr.Button(interactive=True)

    def complete(self, run, pixels, hole, blend):
        """Search what fills a hole. Yields the photo and its completion so far, and what to say."""
        mask = 1 - hole[..., None].astype(np.float32)
        with on_the_page():
            search = self.networks[run].search(SEARCH)
        image = utils.transform(pixels[None])
        for iteration, _, generated, *_ in search.reports(image, mask[None]):
            filled = blending.fill(image, generated, mask[None])
            if blend:
                filled = blending.blend(image[0], generated[0], mask)[None]
            said = f"{iteration:,} of {SEARCH.nIter:,} iterations."
            yield (pixels, utils.inverse_transform(filled)[0]), said
