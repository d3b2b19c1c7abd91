"""A run's sample grids in order: as a page beside the real images, and as a GIF."""

import html
import os
import re

import numpy as np

import utils
from errors import UserError
from photos import decoding
from runs.files import folders_written
from runs.network import find_network

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
NAME = "train_{epoch:02d}_{idx:04d}.png"  # of a sample grid, as in the original
NAMES = r"train_(\d+)_(\d+)\.png"
GRID = '<figure><img src="{name}" loading="lazy" alt=""><figcaption>epoch {epoch}, batch {idx}</figcaption></figure>'
FRAMES = 300  # of a GIF, at most


def grid_path(folder, epoch, idx):
    """The path of the sample grid that is drawn after batch idx of an epoch, both counted from 0."""
    return os.path.join(folder, NAME.format(epoch=epoch, idx=idx))


def is_picture(name):
    """Whether a file is one of those that a run writes into --sample_dir."""
    return name == "real.png" or bool(re.fullmatch(NAMES, name))


def remove_scraps(folder):
    """Remove the half-written files of a killed run."""
    for name in os.listdir(folder):
        whole = utils.whole_name(name)
        if whole and (is_picture(whole) or whole == "index.html"):
            os.remove(os.path.join(folder, name))


def find_grids(folder):
    """(epoch, batch within it, path) of each sample grid in a folder, in order."""
    matches = (re.fullmatch(NAMES, name) for name in os.listdir(folder))
    return sorted((int(match[1]), int(match[2]), os.path.join(folder, match[0])) for match in matches if match)


def write_index(folder):
    """Write index.html: the grids in the folder, the newest first. Raises OSError."""
    grids = [
        GRID.format(name=os.path.basename(path), epoch=epoch, idx=idx) for epoch, idx, path in find_grids(folder)[::-1]
    ]
    title = html.escape(f"Samples in {os.path.basename(os.path.abspath(folder))}")
    with utils.whole_file(os.path.join(folder, "index.html")) as file:
        file.write(PAGE.format(title=title, grids="\n".join(grids)).encode(errors="replace"))


def show_progress(checkpoint_dir, out):
    """Write the GIF of a run's grids into a folder, progress.gif. Raises UserError."""
    find_network(checkpoint_dir)
    path = os.path.join(out, "progress.gif")
    frames = animate(folders_written(checkpoint_dir), path)
    print(f"{frames} sample grids, the first to the last: {path}")


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
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    utils.save_gif(frames, path, seconds=0.2)
    return len(chosen)
