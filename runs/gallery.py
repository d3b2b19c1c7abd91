"""A run's sample grids in order: as a page beside the real images, and as a GIF."""

import html
import os
import re

import numpy as np

import utils
from errors import UserError
from photos import decoding

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ margin: 1em; font: 16px sans-serif; background: #fff; color: #222 }}
main {{ display: flex; gap: 2em; align-items: flex-start; flex-wrap: wrap }}
.real {{ position: sticky; top: 1em }}
.grids {{ display: grid; gap: 1.5em }}
figure {{ margin: 0 }}
img {{ width: 512px; max-width: 100%; image-rendering: pixelated; display: block }}
figcaption {{ margin-top: .3em }}
</style>
<h1>{title}</h1>
<main>
<figure class="real"><img src="real.png" alt="real images"><figcaption>real images</figcaption></figure>
<div class="grids">
{grids}
</div>
</main>
</html>
"""
GRID = '<figure><img src="{name}" loading="lazy" alt=""><figcaption>epoch {epoch}, batch {idx}</figcaption></figure>'


FRAMES = 300  # of a GIF, at most


def find_grids(folder):
    """(epoch, batch within it, path) of each sample grid in a folder, in order."""
    matches = (re.fullmatch(r"train_(\d+)_(\d+)\.png", name) for name in os.listdir(folder))
    return sorted((int(match[1]), int(match[2]), os.path.join(folder, match[0])) for match in matches if match)


def write_index(folder):
    """Write index.html: the grids in the folder, the newest first. Raises OSError."""
    grids = [
        GRID.format(name=os.path.basename(path), epoch=epoch, idx=idx) for epoch, idx, path in find_grids(folder)[::-1]
    ]
    title = html.escape(f"Samples in {os.path.basename(os.path.abspath(folder))}")
    with utils.whole_file(os.path.join(folder, "index.html")) as file:
        file.write(PAGE.format(title=title, grids="\n".join(grids)).encode(errors="replace"))


def animate(folders, path):
    """Write the grids in some folders as a looping GIF, which stays at the last one -> how many it shows.

    It leaves out grids evenly where there are more than FRAMES. Raises UserError if there are none.
    """
    grids = sorted(grid for folder in folders if os.path.isdir(folder) for grid in find_grids(folder))
    if not grids:
        raise UserError(f"no sample grids in {', '.join(folders) or 'the folders of this run'}; they may have moved")
    chosen = np.linspace(0, len(grids) - 1, min(FRAMES, len(grids))).round().astype(int)
    frames = [np.asarray(decoding.open_rgb(grids[index][2])) for index in chosen]
    frames += frames[-1:] * 5
    utils.save_gif(frames, path, seconds=0.2)
    return len(chosen)
