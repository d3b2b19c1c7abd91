"""Draw a data set of cartoon faces, 64x64 in colour, to try the program without photos.

    python -m photos.demo data/demo --n 2048

Face i of a seed is always the same, however many faces are drawn.
"""

import argparse
import os
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import utils

SIZE = 64
SIDE = 4 * SIZE  # drawn four times larger, then reduced: that smooths the edges
SOFT = 1.5  # pixels of the large drawing by which edges are blurred: sharper ones are learnt with speckles

SKINS = "#ffe0cc #f8d0b0 #eab88f #d49a6a #b07848 #8a5a34 #64402a"
HAIRS = "#1c1713 #3b2619 #6b4323 #a8692c #d9a441 #efd68a #b5442a #9a9a9a #e9e9ee"
IRISES = "#3a2414 #6b4a22 #3f7a4d #3c78b4 #6e8aa0"
CLOTHES = "#b23a48 #31678a #4b7f52 #e0a030 #6f4a8e #333844 #e8e4da #d9777f"
BACKGROUNDS = "#9cc9e8 #f3c4a2 #b9dfb4 #f4e2a0 #cfbdea #e6e6e6 #7f9fb8 #e59a9a"
LIPS = "#b5484a #c4605a #9c3f45"
FRAMES = "#20202a #7a3b1e #b08a2e"
DARK = "#6e1f28"  # inside a mouth


def shade(colour, factor):
    """An (R, G, B) colour, darker or lighter."""
    return tuple(int(min(255, channel * factor)) for channel in colour)


class Face:
    """One face on its canvas. Lengths are pixels of the large drawing, 256x256."""

    def __init__(self, seed, index):
        self.rng = rng = np.random.default_rng([seed, index])
        self.image = Image.new("RGB", (SIDE, SIDE))
        self.draw = ImageDraw.Draw(self.image)
        self.x, self.y = 128 + rng.normal(0, 3), 128 + rng.normal(0, 3)  # the head's centre
        self.rx, self.ry = rng.uniform(66, 78), rng.uniform(84, 96)
        self.skin, self.hair = self.pick(SKINS), self.pick(HAIRS)
        styles = ["bald", "short", "fringe", "side", "long", "curly"]
        self.style = rng.choice(styles, p=[0.06, 0.24, 0.2, 0.2, 0.2, 0.1])
        self.apart, self.eye_y = rng.uniform(29, 34), self.y - 6 + rng.normal(0, 2)

    def pick(self, colours):
        """One of the colours, a little off, as (R, G, B)."""
        colour = self.rng.choice(colours.split())
        return tuple(int(min(255, max(0, int(colour[i : i + 2], 16) + self.rng.normal(0, 6)))) for i in (1, 3, 5))

    def oval(self, x, y, rx, ry, fill, **more):
        """An ellipse by its centre and radii."""
        self.draw.ellipse([x - rx, y - ry, x + rx, y + ry], fill=fill, **more)

    def box(self, left, top, right, bottom):
        """A box by its distances from the head's centre."""
        return [self.x + left, self.y + top, self.x + right, self.y + bottom]

    def paste(self, colour, *shapes, blur=0):
        """Fill with colour where the shapes, ("ellipse" or "rectangle", box, opacity), lie."""
        mask = Image.new("L", self.image.size)
        for shape, box, opacity in shapes:
            getattr(ImageDraw.Draw(mask), shape)(box, fill=opacity)
        self.image.paste(colour, mask=mask.filter(ImageFilter.GaussianBlur(blur)) if blur else mask)

    def background(self):
        """A colour that fades towards white, up or down."""
        self.image.paste(self.pick(BACKGROUNDS), [0, 0, SIDE, SIDE])
        fade = Image.linear_gradient("L").resize(self.image.size).rotate(self.rng.choice([0, 180]))
        self.image.paste("#ffffff", mask=fade.point(lambda value: value // 2))

    def head(self):
        """Hair behind, shoulders, neck, ears, the head."""

        rx, ry, skin = self.rx, self.ry, self.skin
        if self.style == "long":
            self.draw.rounded_rectangle(self.box(-rx - 20, -ry, rx + 20, ry + 20), 70, fill=shade(self.hair, 0.8))
        if self.style == "curly":
            for angle in np.linspace(0.9, 2.1, 9) * np.pi:
                x, y = self.x + (rx + 6) * np.cos(angle), self.y - 12 + ry * np.sin(angle)
                self.oval(x, y, 34, 34, shade(self.hair, 0.9))
        self.draw.rounded_rectangle(self.box(-96, ry + 8, 96, SIDE), 50, fill=self.pick(CLOTHES))
        self.draw.rectangle(self.box(-28, ry - 24, 28, ry + 14), fill=shade(skin, 0.82))
        self.oval(self.x, self.y + ry + 14, 28, 14, shade(skin, 0.82))
        for ear in (-1, 1):
            self.oval(self.x + ear * rx, self.y + 6, 13, 20, shade(skin, 0.9))
        self.oval(self.x, self.y + 4, rx, ry, skin)

    def hair_in_front(self):
        """A cap on the head, cut out along the forehead and at the ears."""
        if self.style == "bald":
            return
        rx, ry = self.rx, self.ry
        hairline = -self.rng.uniform(60, 74)
        shift = 44 * self.rng.choice([-1, 1]) if self.style == "side" else 0
        widen = abs(shift)
        forehead = ("ellipse", self.box(shift - rx - widen + 6, hairline, shift + rx + widen - 6, ry + 60), 0)
        if self.style == "fringe":
            forehead = ("rectangle", self.box(-rx + 10, hairline + 22, rx - 10, SIDE), 0)
        cap = ("ellipse", self.box(-rx - 8, -ry - 14, rx + 8, ry + 6), 255)
        self.paste(self.hair, cap, forehead, ("rectangle", [0, self.y, SIDE, SIDE], 0))

    def eyes(self):
        """Eyes and brows, on nearly the same spot in every face, as an aligned photo has them."""
        rng, y = self.rng, self.eye_y
        rx, ry, gaze = rng.uniform(13, 17), rng.uniform(8, 13), rng.normal(0, 2.5)
        lift, tilt, width = rng.uniform(20, 26), rng.normal(0, 3), int(rng.integers(5, 9))
        iris = self.pick(IRISES)
        brow = shade((70, 50, 40) if self.style == "bald" else self.hair, 0.7)
        for side in (-1, 1):
            x = self.x + side * self.apart
            self.oval(x, y, rx, ry, "#fdfdfd", outline=shade(self.skin, 0.55), width=2)
            self.oval(x + gaze, y, ry * 0.85, ry * 0.85, iris)
            self.oval(x + gaze, y, ry * 0.42, ry * 0.42, "#101010")
            self.oval(x + gaze + 3, y - 3, 2.5, 2.5, "#ffffff")
            ends = (x - side * 15, y - lift + tilt), (x, y - lift - 5), (x + side * 16, y - lift - tilt + 2)
            self.draw.line(ends, fill=brow, width=width, joint="curve")

    def cheeks_and_beard(self):
        """A blush in half of the faces, a beard in some."""
        if self.rng.random() < 0.5:
            left, right = self.box(-59, 18, -25, 44), self.box(25, 18, 59, 44)
            self.paste("#e8505b", ("ellipse", left, 90), ("ellipse", right, 90), blur=8)
        if self.style != "long" and self.rng.random() < 0.15:
            rx, ry = self.rx, self.ry
            chin = ("ellipse", self.box(-rx, -ry + 4, rx, ry + 4), 255)
            face = ("ellipse", self.box(-rx + 12, -ry - 10, rx - 12, 36), 0)
            self.paste(shade(self.hair, 0.85), chin, face, ("rectangle", [0, 0, SIDE, self.y + 14], 0))

    def nose_and_mouth(self):
        """A nose; a smile, a laugh, a straight or an open mouth."""
        rng, x = self.rng, self.x
        nose = self.y + rng.uniform(22, 28)
        bridge = (x, self.eye_y + 8), (x + 7, nose), (x - 3, nose + 2)
        self.draw.line(bridge, fill=shade(self.skin, 0.75), width=4, joint="curve")
        y, rx, lips = self.y + rng.uniform(48, 54), rng.uniform(20, 30), self.pick(LIPS)
        kind = rng.choice(["smile", "laugh", "line", "open"], p=[0.4, 0.3, 0.2, 0.1])
        if kind == "smile":
            self.draw.arc([x - rx, y - 22, x + rx, y + 10], 15, 165, fill=lips, width=7)
        elif kind == "laugh":
            self.draw.chord([x - rx, y - 16, x + rx, y + 18], 0, 180, fill=DARK, outline=lips, width=3)
            self.draw.rectangle([x - rx + 6, y + 2, x + rx - 6, y + 6], fill="#fbfbf7")
        elif kind == "line":
            self.draw.line([(x - rx, y), (x + rx, y + rng.normal(0, 2))], fill=lips, width=7)
        else:
            self.oval(x, y, 12, 13, DARK, outline=lips, width=4)

    def glasses(self):
        """In a quarter of the faces."""
        if self.rng.random() > 0.25:
            return
        frame, radius, y = self.pick(FRAMES), int(self.rng.integers(8, 22)), self.eye_y
        for side in (-1, 1):
            x = self.x + side * self.apart
            self.draw.rounded_rectangle([x - 24, y - 19, x + 24, y + 21], radius, outline=frame, width=5)
            self.draw.line([(x + side * 24, y - 4), (self.x + side * self.rx, y - 8)], fill=frame, width=5)
        inner = self.apart - 24
        self.draw.line([(self.x - inner, y - 4), (self.x + inner, y - 4)], fill=frame, width=5)

    def lit(self):
        """The finished face at 64x64, lit more from one side, brighter or darker."""
        soft = self.image.filter(ImageFilter.GaussianBlur(SOFT))
        pixels = np.asarray(soft.resize((SIZE, SIZE), Image.Resampling.BOX), np.float32)
        across = 1 + np.linspace(-1, 1, SIZE) * self.rng.normal(0, 0.13)
        pixels = pixels * across[None, :, None] * self.rng.normal(1, 0.06)
        return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def draw_face(seed, index=0):
    """Face `index` of a seed -> PIL image, RGB, 64x64."""
    face = Face(seed, index)
    face.background()
    face.head()
    face.hair_in_front()
    face.eyes()
    face.cheeks_and_beard()
    face.nose_and_mouth()
    face.glasses()
    return face.lit()


def write_faces(folder, n, seed=0):
    """Draw n faces into folder as 00000.png, 00001.png, ... -> how many. Existing files are left alone."""
    os.makedirs(folder, exist_ok=True)
    drawn = 0
    for index in range(n):
        path = os.path.join(folder, f"{index:05d}.png")
        if not os.path.exists(path):
            with utils.whole_file(path) as file:
                draw_face(seed, index).save(file, format="PNG")
            drawn += 1
    return drawn


def main():
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder for the faces")
    parser.add_argument("--n", type=int, default=2048, help="how many (default: 2048)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other faces (default: 0)")
    options = parser.parse_args()
    if options.n < 1 or options.seed < 0:
        parser.error("--n must be at least 1 and --seed at least 0")
    try:
        drawn = write_faces(options.folder, options.n, options.seed)
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror.lower()}")
    there = f", {options.n - drawn:,} were there" if drawn < options.n else ""
    print(f"drew {drawn:,} faces into {options.folder}{there}")


if __name__ == "__main__":
    main()
