"""Draw the pictures of the README and of docs/results.md from the folders of a training.

    source .venv/bin/activate && pip install -r requirements-dev.txt
    python -m docs.figures --checkpoint_dir checkpoints --sample_dir samples --log_dir logs
    python -m docs.figures --sample_dir samples/demo --demo

Writes into docs/images. No photo gets into them: every face is generated, or drawn by photos/demo.py.
"""

import glob
import os
import re
import tempfile

import numpy as np
from PIL import Image

import cli
from errors import UserError
from training import devices
from training.settings import text

EPOCHS = (1, 5, 10, 20)  # their last grids are shown side by side
# Pictures of seed 0, chosen by eye among the first 260 of the run that docs/results.md shows
STRIP = "36,11,87,64"
ARITHMETIC = ("36,87,140", "88,7,234", "11,37,77")  # smiling women, women, men
COMPLETED = 16  # pictures of seed 1, with their middles hidden
GAP = 8  # white pixels between pictures


def flags():
    """The command line."""
    parser = cli.parser(__doc__)
    for name in "checkpoint", "sample", "log":
        cli.add_flag(parser, f"{name}_dir", text("DIR"), f"{name}s", "of the training")
    cli.add_flag(parser, "demo", None, False, "draw only the demo's picture, from --sample_dir")
    cli.add_flag(parser, "out", text("DIR"), os.path.join("docs", "images"), "folder for the pictures")
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
    devices.set_up()  # imports TensorFlow without its noise, before TensorBoard does
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
        generate.main([*network, "--seed", "1", "--n", str(COMPLETED), "--out", f"{work}/faces"])
        faces = sorted(glob.glob(f"{work}/faces/*.png"))
        complete.main([*network, "--maskType", "center", "--blend", "--outDir", f"{work}/completions", *faces])
        names = "before.png", "masked.png", "completed/1000.png"  # complete.py's default number of iterations
        save(beside(*(read(work, "completions", name) for name in names)), out, "complete.jpg")


def main(arguments):
    """Draw them. Returns the exit code."""
    options = flags().parse_args(arguments)
    grids = last_grids(options.sample_dir)
    if not options.demo:
        import matplotlib.figure  # noqa: F401  a missing package is an error before the work
    os.makedirs(options.out, exist_ok=True)
    final = read(grids[max(grids)])
    half = len(final) // 2  # 4x4 of the 8x8 pictures
    if options.demo:
        pictures = read(options.sample_dir, "real.png"), final
        save(beside(*(picture[:half, :half] for picture in pictures)), options.out, "demo.jpg")
        return 0
    losses = read_losses(options.log_dir)
    draw_with_network(options.checkpoint_dir, options.out)
    draw_losses(losses, os.path.join(options.out, "losses.png"))
    save(final, options.out, "samples.jpg")
    shown = [grids[epoch] for epoch in EPOCHS if epoch in grids] or [grids[max(grids)]]
    save(beside(*(read(path)[:half, :half] for path in shown)), options.out, "epochs.jpg")
    return 0


if __name__ == "__main__":
    cli.run(main)
