"""Figures of what a network has learned: interpolations, face arithmetic, walks along the coordinates of z.

Each writes its pictures into a folder, `out`, which is new or empty.
"""

import os

import numpy as np
from PIL import Image, ImageDraw

import utils
from sampling import latents
from sampling.generation import generate

STRIP = 12  # pixels, for a number below a picture
TILE, CAPTION = 192, 18  # pixels: the side of a picture on a sheet, at least, and the height of what is said below it
LETTERS = 30  # of a caption, which fit below a picture


def interpolate(dcgan, z, steps, out):
    """From picture to picture, in a straight line and along the arc: strips, frames and looping GIFs.

    z: the ends [N, z_dim], N >= 2
    steps: pictures from end to end, both ends included
    """
    os.makedirs(out, exist_ok=True)
    for name, between in (("linear", latents.lerp), ("spherical", latents.slerp)):
        rows = []
        for a, b in zip(z, np.roll(z, -1, axis=0)):  # and from the last back to the first, for the loop
            path = np.array([between(a, b, t) for t in np.linspace(0, 1, steps)], np.float32)
            rows.append(generate(dcgan, path))
        utils.save_image(utils.merge(np.concatenate(rows[:-1]), steps), os.path.join(out, f"{name}.png"))
        frames = np.concatenate([row[:-1] for row in rows])  # a row's last picture is the next one's first
        os.mkdir(os.path.join(out, name))
        for i, frame in enumerate(frames):
            utils.save_image(frame, os.path.join(out, name, f"{i:04d}.png"))
        utils.save_gif(frames, os.path.join(out, f"{name}.gif"))


def arithmetic(dcgan, plus, minus, plus2, seed, out):
    """The mean of some z, minus that of others, plus that of a third group, as a figure like the DCGAN paper's.

    plus, minus, plus2: [N, z_dim] each
    seed: of the noise around the result
    """
    os.makedirs(out, exist_ok=True)
    groups = plus, minus, plus2
    means = [group.mean(axis=0, keepdims=True) for group in groups]
    result = means[0] - means[1] + means[2]
    # The DCGAN paper (figure 7): the result in the middle, uniform noise of up to 0.25 added around it
    noise = np.random.default_rng([seed, 0, 3]).uniform(-0.25, 0.25, [9, dcgan.z_dim])
    noise[4] = 0
    around = generate(dcgan, (result + noise).astype(np.float32))
    columns = [generate(dcgan, np.concatenate([group, mean])) for group, mean in zip(groups, means)]
    utils.save_image(arithmetic_figure(columns, around), os.path.join(out, "arithmetic.png"))
    utils.save_image(around[4], os.path.join(out, "result.png"))
    latents.save(os.path.join(out, "result.npz"), result)


def edit(dcgan, z, direction, steps, out, name="edit"):
    """From less to more of a direction, -1 to 1 times, a row for each z: a strip and a GIF.

    z: [N, z_dim]
    direction: [z_dim]
    name: of the files
    steps: pictures in a row; with an odd number, G(z) itself is in the middle
    """
    os.makedirs(out, exist_ok=True)
    moved = z[:, np.newaxis] + np.linspace(-1, 1, steps, dtype=np.float32)[:, np.newaxis] * direction
    there_and_back(dcgan, moved.reshape(-1, z.shape[1]).clip(-1, 1), steps, os.path.join(out, name))


def walk(dcgan, z, coordinates, steps, out):
    """Coordinates of z, one at a time, from -1 to 1: a grid and a GIF of each.

    z: [N, z_dim]
    coordinates: which, counted from 0
    """
    os.makedirs(out, exist_ok=True)
    for coordinate in coordinates:
        varied = np.repeat(z, steps, axis=0)
        varied[:, coordinate] = np.tile(np.linspace(-1, 1, steps), len(z))
        there_and_back(dcgan, varied, steps, os.path.join(out, f"z{coordinate:03d}"))


def there_and_back(dcgan, z, steps, path):
    """z [rows * steps, z_dim] as a grid, path.png, and as a GIF of its columns that goes there and back, path.gif."""
    pictures = generate(dcgan, z)
    utils.save_image(utils.merge(pictures, steps), f"{path}.png")
    columns = pictures.reshape(-1, steps, *pictures.shape[1:])
    frames = np.array([utils.merge(columns[:, i]) for i in range(steps)])
    utils.save_gif(np.concatenate([frames, frames[-2:0:-1]]), f"{path}.gif")


def captioned(images, texts, height=STRIP, font_size=STRIP):
    """Pictures with a text below each, such as its number: uint8 [N, H, W, C] -> [N, H + height, W, C]."""
    strips = []
    for text in texts:
        strip = Image.new("L", (images.shape[2], height), 255)
        middle = images.shape[2] / 2, height / 2
        ImageDraw.Draw(strip).text(middle, str(text), fill=0, anchor="mm", font_size=font_size)
        strips.append(np.repeat(np.asarray(strip)[..., np.newaxis], images.shape[3], axis=-1))
    return np.concatenate([images, np.stack(strips)], axis=1)


def sheet(groups, captions):
    """Groups of pictures that belong together, enlarged, with captions: uint8 [N, G, S, S, C] -> [H, W, C].

    captions: N * G texts
    """
    pictures = groups.reshape(-1, *groups.shape[2:])
    side = groups.shape[2] * max(1, round(TILE / groups.shape[2]))
    large = np.stack([enlarge(picture, side) for picture in pictures])
    texts = [text if len(text) <= LETTERS else text[: LETTERS - 1] + "…" for text in captions]
    across = max(1, round(np.sqrt(len(groups) / groups.shape[1])))  # about a square
    return utils.merge(captioned(large, texts, CAPTION, CAPTION * 2 // 3), across * groups.shape[1])


def enlarge(picture, side):
    """A picture, uint8 [S, S, C], smoothly enlarged to so many pixels per side."""
    image = Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)).reshape(side, side, -1)


def arithmetic_figure(columns, around):
    """The figure of face arithmetic, as the DCGAN paper prints it -> uint8 [H, W, C].

    columns: three groups of operands, uint8 [n, S, S, C] each; the last one of each group is the mean
        of the others and stands apart below them
    around: the result and its neighbours [9, S, S, C], which stand at the right

    The signs stand between the means.
    """
    size, channels = around.shape[1], around.shape[3]
    gap, margin = size // 2, size // 8
    height = max(max(len(column) for column in columns) * size + margin, 3 * size)
    figure = np.full((height, 3 * (size + gap) + 3 * size, channels), 255, np.uint8)
    bottom = height - size
    for k, (column, sign) in enumerate(zip(columns, ("minus", "plus", "equals"))):
        left = k * (size + gap)
        for row, operand in enumerate(column[:-1]):
            figure[row * size : (row + 1) * size, left : left + size] = operand
        figure[bottom:, left : left + size] = column[-1]
        x, y, bar = left + size + gap // 2, bottom + size // 2, max(size // 32, 1)
        if sign != "equals":
            figure[y - bar : y + bar, x - margin : x + margin] = 0
        if sign == "plus":
            figure[y - margin : y + margin, x - bar : x + bar] = 0
        if sign == "equals":
            for line in (y - 3 * bar, y + bar):
                figure[line : line + 2 * bar, x - margin : x + margin] = 0
    figure[height - 3 * size :, 3 * (size + gap) :] = utils.merge(around, 3)
    return figure
