"""Pictures as data: URLs, for Gradio's components: no files are written for them, and none are fetched."""

import base64
import html
import io

import numpy as np
from gradio.components.gallery import GalleryData, GalleryImage
from gradio.components.imageslider import SliderData
from gradio.data_classes import ImageData
from PIL import Image

from sampling import figures, latents

SHOWN = 384  # pixels of the side of a picture that is shown alone, at least
SMALL = 128  # the same, of one among many


def url(content, kind):
    """Bytes as a data: URL."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def png_url(pixels, side=0):
    """uint8 [S, S, C], enlarged to a side of at least so many pixels, as a data: URL of a PNG."""
    pixels = figures.enlarge(pixels, pixels.shape[0] * max(1, round(side / pixels.shape[0])))
    file = io.BytesIO()
    Image.fromarray(pixels if pixels.shape[-1] in (3, 4) else pixels[..., 0]).save(file, "PNG")
    return url(file.getvalue(), "image/png")


def z_link(z):
    """A link that downloads z [z_dim] as an .npz file."""
    file = io.BytesIO()
    latents.save_to(file, z[None])
    return f'<a download="z.npz" href="{url(file.getvalue(), "application/octet-stream")}">Download its z</a>'


def one(pixels):
    """For gr.Image."""
    return None if pixels is None else ImageData(url=png_url(pixels, SHOWN))


def many(pictures):
    """For gr.Gallery: a list of (pixels, caption)."""
    return GalleryData(
        root=[
            GalleryImage(image=ImageData(url=png_url(pixels, SMALL)), caption=caption) for pixels, caption in pictures
        ]
    )


def two(pair):
    """For gr.ImageSlider: (before, after)."""
    return None if pair is None else SliderData(root=tuple(map(one, pair)))


def to_paint_on(value):
    """For gr.ImageEditor: (pixels, hole or None), the hole bool [S, S]. Its value is a dict, since its class asks for
    files."""
    if value is None:
        return None
    pixels, hole = value
    layers = []
    if hole is not None:
        layer = np.zeros([*hole.shape, 4], np.uint8)
        layer[hole] = BRUSH
        scale = max(1, round(SHOWN / len(hole)))
        layers = [inline(png_url(layer.repeat(scale, axis=0).repeat(scale, axis=1)))]
    return dict(background=inline(png_url(pixels, SHOWN)), layers=layers, composite=None, id=None)


BRUSH = (0, 0, 0, 255)  # the colour that hides


def inline(link):
    """A file that is its own address."""
    return ImageData(url=link).model_dump()


def hole_of(painted, size):
    """What is painted in the value of a gr.ImageEditor (of type "numpy") -> bool [size, size]."""
    hole = np.zeros([size, size], bool)
    for layer in (painted or {}).get("layers") or []:
        alpha = Image.fromarray(np.asarray(layer)[..., 3]).resize((size, size), Image.Resampling.BOX)
        hole |= np.asarray(alpha) > 127
    return hole


def shown_as(component, postprocess):
    """A component whose values are made by a function of this module. (A subclass would write a .pyi file.)"""
    component.postprocess = postprocess
    return component


def text(words):
    """Words that may hold a file's name, safe in Markdown and HTML."""
    return html.escape(str(words))
