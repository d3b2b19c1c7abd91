"""Draw the pictures of the README and of docs/results.md from the folders of a training.

    source .venv/bin/activate && pip install -r requirements-dev.txt
    python -m docs.figures --checkpoint_dir checkpoints --sample_dir samples
    python -m docs.figures --sample_dir samples --log_dir logs --history
    python -m docs.figures --sample_dir samples --article samples/article --second samples/celeba
    python -m docs.figures --sample_dir samples/demo --demo

The first draws the last grid, and what the network can do; the second how a run went, with a GIF of its grids;
the third the last grid beside that of a run as the article has it, and one of another data set. Writes into
docs/images. No photo gets into them: every face is generated, or drawn by photos/demo.py.
"""

import glob
import os
import re
import tempfile

import numpy as np
from PIL import Image

import cli.program
from cli.flags import Parser, add_flag
from cli.kinds import text
from devices import start
from errors import UserError

EPOCHS = (5, 20, 50, 98)  # their last grids are shown side by side
# Pictures of seed 0, chosen by eye among the first 120 of the network that docs/results.md shows
STRIP = "109,102,28,37"
ARITHMETIC = ("28,51,109", "30,79,91", "46,60,72")  # smiling women, women, men
SMILING = "9,10,28,38,51,53,55,85,94,95,98,99,102,109,116"
SERIOUS = "3,11,24,30,35,46,60,66,72,73,74,79,101,106,111,117"
EDITED = "30,35,46,56,79,101"
COMPLETED = 16  # pictures of seed 1, with their middles hidden
COLOURS = 96  # of the GIF, which is to stay below 1 MB
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
    add_flag(parser, "out", text("DIR"), os.path.join("docs", "images"), "folder for the pictures")
    return parser


def read(*path):
    """A picture -> uint8 [H, W, 3]."""
    return np.asarray(Image.open(os.path.join(*path)).convert("RGB"))


def beside(*pictures):
    """Pictures of one height side by side, white between them."""
    gap = np.full([len(pictures[0]), GAP, 3], 255, np.uint8)
    return np.concatenate([part for picture in pictures for part in (gap, picture)][1:], axis=1)


def save(pixels, *path):
    """Write a JPEG with colours at full resolution: in faces of 64 pixels, each pixel matters."""
    path = os.path.join(*path)
    Image.fromarray(pixels).save(path, quality=88, subsampling=0)
    print(f"{path}: {os.path.getsize(path) / 1000:.0f} kB")


def last_grids(sample_dir):
    """{epoch, counted from 1: the path of its last sample grid}. Raises UserError."""
    names = os.listdir(sample_dir)
    found = [
        (int(m[1]), int(m[2]), m[0]) for m in (re.fullmatch(r"train_(\d+)_(\d+)\.png", name) for name in names) if m
    ]
    if not found:
        raise UserError(f"--sample_dir {sample_dir}: no grids of a training")
    return {1 + epoch: os.path.join(sample_dir, name) for epoch, _, name in sorted(found)}


def read_losses(log_dir):
    """{"d_loss" and "g_loss": (steps, values)}. Raises UserError."""
    start.set_up()  # imports TensorFlow without its noise, before TensorBoard does
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    log = EventAccumulator(log_dir, size_guidance={"tensors": 0})
    if not os.path.isdir(log_dir) or "d_loss" not in log.Reload().Tags()["tensors"]:
        raise UserError(f"--log_dir {log_dir}: no losses of a training")
    return {
        tag: tuple(zip(*((event.step, float(make_ndarray(event.tensor_proto))) for event in log.Tensors(tag))))
        for tag in ("d_loss", "g_loss")
    }


def draw_losses(losses, path):
    """The losses over the batches: each point, and the running median of 21."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    for (tag, (steps, values)), colour in zip(losses.items(), ("tab:blue", "tab:orange")):
        medians = [np.median(values[max(k - 10, 0) : k + 11]) for k in range(len(values))]
        axes.plot(steps, values, ".", color=colour, markersize=2, alpha=0.4)
        axes.plot(steps, medians, color=colour, label=tag)
    axes.set(xlabel="batch", ylabel="loss")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    print(f"{path}: {os.path.getsize(path) / 1000:.0f} kB")


def draw_with_network(checkpoint_dir, out):
    """Interpolation, arithmetic, and completions of faces that the network has drawn itself."""
    import complete
    import explore
    import generate

    with tempfile.TemporaryDirectory() as work:
        network = ["--checkpoint_dir", checkpoint_dir]
        explore.main(["interpolate", *network, "--seeds", STRIP, "--steps", "12", "--out", f"{work}/between"])
        save(read(work, "between", "spherical.png"), out, "interpolate.jpg")
        plus, minus, plus2 = ARITHMETIC
        groups = ["--plus", plus, "--minus", minus, "--plus2", plus2]
        explore.main(["arithmetic", *network, *groups, "--out", f"{work}/sums"])
        save(read(work, "sums", "arithmetic.png"), out, "arithmetic.jpg")
        generate.main([*network, "--seeds", EDITED, "--save_z", f"{work}/z.npz"])
        groups = ["--plus", SMILING, "--minus", SERIOUS, "--out", f"{work}/smile.npz"]
        explore.main(["direction", *network, *groups])
        files = ["--z", f"{work}/z.npz", "--direction", f"{work}/smile.npz"]
        explore.main(["edit", *network, *files, "--out", f"{work}/edit"])
        save(read(work, "edit", "edit.png"), out, "edit.jpg")
        generate.main([*network, "--seed", "1", "--n", str(COMPLETED), "--out", f"{work}/faces"])
        faces = sorted(glob.glob(f"{work}/faces/*.png"))
        complete.main([*network, "--maskType", "center", "--blend", "--outDir", f"{work}/completions", *faces])
        names = "before.png", "masked.png", "completed/1000.png"  # complete.py's default number of iterations
        save(beside(*(read(work, "completions", name) for name in names)), out, "complete.jpg")


def draw_history(options, grids):
    """How a run went: its grids after some epochs, its losses, and a GIF of all grids."""
    draw_losses(read_losses(options.log_dir), os.path.join(options.out, "losses.png"))  # first: what may be missing
    pictures = [read(grids[epoch]) for epoch in EPOCHS if epoch in grids] or [read(grids[max(grids)])]
    save(beside(*map(quarter, pictures)), options.out, "epochs.jpg")
    path = os.path.join(options.out, "progress.gif")
    frames = [Image.fromarray(quarter(read(grids[epoch]))).quantize(COLOURS) for epoch in sorted(grids)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=400, loop=0)
    print(f"{path}: {os.path.getsize(path) / 1000:.0f} kB")


def quarter(grid):
    """4x4 of the 8x8 pictures of a grid."""
    half = len(grid) // 2
    return grid[:half, :half]


def main(arguments):
    """Draw them. Returns the exit code."""
    options = flags().parse_args(arguments)
    if bool(options.article) != bool(options.second):
        raise UserError("--article and --second: give both; they are drawn together")
    grids = last_grids(options.sample_dir)
    os.makedirs(options.out, exist_ok=True)
    final = read(grids[max(grids)])
    if options.demo:
        save(beside(*map(quarter, (read(options.sample_dir, "real.png"), final))), options.out, "demo.jpg")
    elif options.history:
        draw_history(options, grids)
    elif options.article:
        theirs = last_grids(options.article)
        save(beside(*map(quarter, (read(theirs[max(theirs)]), final))), options.out, "article.jpg")
        others = last_grids(options.second)
        save(read(others[max(others)]), options.out, "second.jpg")
    else:
        draw_with_network(options.checkpoint_dir, options.out)
        save(final, options.out, "samples.jpg")
    return 0


if __name__ == "__main__":
    cli.program.run(main)
