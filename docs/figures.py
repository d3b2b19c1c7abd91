"""Draw the pictures of the README and of docs/results.md from the folders of a training.

    source .venv/bin/activate && pip install -r requirements-dev.txt
    python -m docs.figures --checkpoint_dir checkpoints --sample_dir samples
    python -m docs.figures --sample_dir samples --log_dir logs --history
    python -m docs.figures --sample_dir samples --article samples/article --second samples/celeba
    python -m docs.figures --sample_dir samples/demo --demo
    python -m docs.figures --teaser
    python -m docs.figures --stages noise.png,grid.png,good.png

The first draws the last grid, and what the network can do; the second how a run went, with a GIF of its grids;
the third the last grid beside that of a run as the article has it, and one of another data set; the next to last
puts parts of these together for the README; the last shows four faces of each of several grids, for
docs/troubleshooting.md. Writes into docs/images. No photo gets into them: every face is generated, or drawn by
photos/demo.py.
"""

import glob
import os
import tempfile

import numpy as np
from PIL import Image

import cli.program
import complete
import explore
import generate
import utils
from cli.flags import Parser, add_flag
from cli.kinds import text
from devices import start
from errors import UserError
from runs.gallery import find_grids
from runs.network import INCLUDED

events = cli.program.Later("tensorboard.backend.event_processing.event_accumulator")
tensors = cli.program.Later("tensorboard.util.tensor_util")
plots = cli.program.Later("matplotlib.figure")
sheets = cli.program.Later("sampling.figures")  # which imports TensorFlow

EPOCHS = (5, 20, 50, 98)  # their last grids are shown side by side
# Pictures of seed 0, chosen by eye among the first 120 of the network that docs/results.md shows
STRIP = "109,102,28,37"
ARITHMETIC = ("--plus", "28,51,109", "--minus", "30,79,91", "--plus2", "46,60,72")  # smiling women, women, men
SMILING = ("--plus", "9,10,28,38,51,53,55,85,94,95,98,99,102,109,116")
SERIOUS = ("--minus", "3,11,24,30,35,46,60,66,72,73,74,79,101,106,111,117")
EDITED = "30,35,46,56,79,101"
# Faces of samples.jpg, counted from 0, chosen by eye for the teaser
HIDDEN, SHOWN = (0, 13, 16, 29), (30, 24, 53, 58)
COMPLETED = 16  # pictures of seed 1, with their middles hidden
COLOURS = 96  # of the GIF, which is to stay below 1 MB
FACE = 64  # pixels
GAP = 8  # white pixels between pictures


def flags():
    """The command line."""
    parser = Parser(__doc__)
    for name in "checkpoint", "sample", "log":
        add_flag(parser, f"{name}_dir", text("DIR"), f"{name}s", "of the training")
    add_flag(parser, "history", None, False, "draw only how the run went, from --sample_dir and --log_dir")
    add_flag(parser, "article", text("DIR"), None, "samples of a run as the article has it, to draw beside")
    add_flag(parser, "second", text("DIR"), None, "samples of a run on another data set")
    add_flag(parser, "demo", None, False, "draw only the demo's picture, from --sample_dir")
    add_flag(parser, "teaser", None, False, "draw only the README's first picture, from the others")
    add_flag(parser, "stages", text("FILES"), None, "draw only four faces of each of these grids, numbered")
    add_flag(parser, "out", text("DIR"), os.path.join("docs", "images"), "folder for the pictures")
    return parser


def read(*path):
    """A picture -> uint8 [H, W, 3]."""
    return np.asarray(Image.open(os.path.join(*path)).convert("RGB"))


def beside(*pictures):
    """Pictures of one height side by side, white between them."""
    gap = np.full([len(pictures[0]), GAP, 3], 255, np.uint8)
    return np.concatenate([part for picture in pictures for part in (gap, picture)][1:], axis=1)


def quarter(grid):
    """4x4 of the 8x8 pictures of a grid."""
    half = len(grid) // 2
    return grid[:half, :half]


def save(pixels, *path):
    """Write a JPEG with colours at full resolution: in faces of 64 pixels, each pixel matters."""
    path = os.path.join(*path)
    Image.fromarray(pixels).save(path, quality=88, subsampling=0)
    report(path)


def report(path):
    """Print the name and the size of a picture that is written."""
    print(f"{path}: {os.path.getsize(path) / 1000:.0f} kB")


def last_grids(sample_dir):
    """{epoch, counted from 1: the path of its last sample grid}, in order. Raises UserError."""
    grids = {1 + epoch: path for epoch, _, path in find_grids(sample_dir)}
    if not grids:
        raise UserError(f"--sample_dir {sample_dir}: no grids of a training")
    return grids


def final_grid(sample_dir):
    """The last sample grid of a run, uint8 [H, W, 3]. Raises UserError."""
    return read([*last_grids(sample_dir).values()][-1])


def draw_losses(log_dir, path):
    """The losses over the batches: each point, and the running median of 21. Raises UserError."""
    start.set_up()  # imports TensorFlow without its noise, before TensorBoard does
    log = events.EventAccumulator(log_dir, size_guidance={"tensors": 0})
    if not os.path.isdir(log_dir) or "d_loss" not in log.Reload().Tags()["tensors"]:
        raise UserError(f"--log_dir {log_dir}: no losses of a training")
    figure = plots.Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    for tag, colour in ("d_loss", "tab:blue"), ("g_loss", "tab:orange"):
        steps = [event.step for event in log.Tensors(tag)]
        values = [float(tensors.make_ndarray(event.tensor_proto)) for event in log.Tensors(tag)]
        medians = [np.median(values[max(k - 10, 0) : k + 11]) for k in range(len(values))]
        axes.plot(steps, values, ".", color=colour, markersize=2, alpha=0.4)
        axes.plot(steps, medians, color=colour, label=tag)
    axes.set(xlabel="batch", ylabel="loss", ylim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    report(path)


def draw_with_network(checkpoint_dir, out):
    """Interpolation, arithmetic, and completions of faces that the network has drawn itself."""
    network = ["--checkpoint_dir", checkpoint_dir]
    with tempfile.TemporaryDirectory() as work:
        smile, z = f"{work}/smile.npz", f"{work}/z.npz"
        explore.main(["direction", *network, *SMILING, *SERIOUS, "--out", smile])
        generate.main([*network, "--seeds", EDITED, "--save_z", z])
        for command, picture, flags in (
            ("interpolate", "spherical.png", ["--seeds", STRIP, "--steps", "12"]),
            ("arithmetic", "arithmetic.png", ARITHMETIC),
            ("edit", "edit.png", ["--z", z, "--direction", smile]),
        ):
            explore.main([command, *network, *flags, "--out", f"{work}/{command}"])
            save(read(work, command, picture), out, f"{command}.jpg")
        generate.main([*network, "--seed", "1", "--n", str(COMPLETED), "--out", f"{work}/faces"])
        faces = sorted(glob.glob(f"{work}/faces/*.png"))
        complete.main([*network, "--maskType", "center", "--blend", "--outDir", f"{work}/completions", *faces])
        names = "before.png", "masked.png", "completed/1000.png"  # complete.py's default number of iterations
        save(beside(*(read(work, "completions", name) for name in names)), out, "complete.jpg")


def draw_history(options):
    """How a run went: its grids after some epochs, its losses, and a GIF of all grids."""
    draw_losses(options.log_dir, os.path.join(options.out, "losses.png"))  # first: what may be missing
    grids = {epoch: quarter(read(path)) for epoch, path in last_grids(options.sample_dir).items()}
    shown = [grids[epoch] for epoch in EPOCHS if epoch in grids] or [grids[max(grids)]]
    save(beside(*shown), options.out, "epochs.jpg")
    path = os.path.join(options.out, "progress.gif")
    frames = [Image.fromarray(grid).quantize(COLOURS) for grid in grids.values()]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=400, loop=0)
    report(path)


def large(picture):
    """A picture with enlarged pixels."""
    return picture.repeat(2, axis=0).repeat(2, axis=1)


def draw_teaser(out):
    """Faces with holes, completed, and as they were; samples; and two faces after each of the EPOCHS.

    The network that comes with the project completes faces that another network drew, those of samples.jpg.
    """
    samples, epochs = (read(out, f"{name}.jpg") for name in ("samples", "epochs"))
    rows = [samples[FACE * row : FACE * (row + 1)] for row in range(len(samples) // FACE)]
    faces = [row[:, FACE * column : FACE * (column + 1)] for row in rows for column in range(row.shape[1] // FACE)]
    with tempfile.TemporaryDirectory() as work:
        paths = [f"{work}/{number}.png" for number in HIDDEN]
        for number, path in zip(HIDDEN, paths):
            utils.save_image(faces[number], path)
        flags = ["--approach", "lbfgs", "--blend", "--outDir", f"{work}/completions"]
        complete.main(["--checkpoint_dir", INCLUDED, *flags, *paths])
        blocks = [read(work, "completions", name) for name in ("masked.png", "completed/0020.png", "before.png")]
    blocks.append(utils.merge(np.stack([faces[number] for number in SHOWN]), 2))
    stages = [epochs[:FACE, left : left + 2 * FACE] for left in range(0, epochs.shape[1], 4 * FACE + GAP)]
    upper, lower = (beside(*map(large, pictures)) for pictures in (blocks, stages))
    gap = np.full([GAP, upper.shape[1], 3], 255, np.uint8)
    save(np.concatenate([upper, gap, lower]), out, "teaser.jpg")


def draw_stages(paths, out):
    """Four faces of each of some grids, numbered from 1."""
    corners = np.stack([read(path)[: 2 * FACE, : 2 * FACE] for path in paths])
    corners = np.pad(corners, [(0, 0), (0, 0), (0, GAP), (0, 0)], constant_values=255)
    numbers = [str(1 + number) for number in range(len(paths))]
    height = sheets.CAPTION
    save(utils.merge(sheets.captioned(corners, numbers, height, height), len(paths)), out, "stages.jpg")


def main(arguments):
    """Draw them. Returns the exit code."""
    options = flags().parse_args(arguments)
    if options.teaser:
        draw_teaser(options.out)
        return 0
    if options.stages:
        draw_stages(options.stages.split(","), options.out)
        return 0
    if bool(options.article) != bool(options.second):
        raise UserError("--article and --second: give both; they are drawn together")
    final = final_grid(options.sample_dir)
    os.makedirs(options.out, exist_ok=True)
    if options.demo:
        save(beside(quarter(read(options.sample_dir, "real.png")), quarter(final)), options.out, "demo.jpg")
    elif options.history:
        draw_history(options)
    elif options.article:
        save(beside(quarter(final_grid(options.article)), quarter(final)), options.out, "article.jpg")
        save(final_grid(options.second), options.out, "second.jpg")
    else:
        draw_with_network(options.checkpoint_dir, options.out)
        save(final, options.out, "samples.jpg")
    return 0


if __name__ == "__main__":
    cli.program.run(main)
