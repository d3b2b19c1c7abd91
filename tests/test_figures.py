"""docs/figures.py: the README's pictures, from the folders of a tiny run."""

import os

import numpy as np
import pytest
from conftest import load_script
from PIL import Image

from errors import UserError
from photos import demo
from training import loop

figures = load_script("docs/figures.py")


def read(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def alike(a, b):
    """Whether two pictures are the same but for JPEG."""
    return np.abs(a.astype(int) - b).mean() < 6


def test_draws_each_picture_from_the_folders_of_a_run(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "EPOCHS", (1, 2, 20))
    monkeypatch.setattr(figures, "COMPLETED", 4)
    demo.write_faces(tmp_path / "faces", 64)
    config = tiny(dataset=str(tmp_path / "faces"), epoch=2, sample_every=16)
    loop.train(config)
    folders = [f for n in ("checkpoint", "sample", "log") for f in (f"--{n}_dir", getattr(config, f"{n}_dir"))]
    out = tmp_path / "images"
    monkeypatch.setattr(figures, "EDITED", "1,2")
    figures.main([*folders, "--out", str(out)])
    figures.main([*folders, "--out", str(out), "--history"])
    samples = str(tmp_path / "samples")
    figures.main([*folders, "--out", str(out), "--article", samples, "--second", samples])
    with Image.open(out / "progress.gif") as gif:
        assert gif.n_frames == 2
    (out / "progress.gif").unlink()
    final = read(max(tmp_path.glob("samples/train_01_*.png")))
    sizes = {path.name: read(path).shape for path in out.iterdir()}
    assert sizes.pop("losses.png") == (300, 800, 3)
    assert sizes == {
        "samples.jpg": final.shape,
        "epochs.jpg": (64, 64 + figures.GAP + 64, 3),  # of three epochs, two were run: 4x4 faces of 16 pixels
        "article.jpg": (64, 64 + figures.GAP + 64, 3),
        "second.jpg": final.shape,
        "edit.jpg": (2 * 16, 7 * 16, 3),
        "interpolate.jpg": (3 * 16, 12 * 16, 3),
        "arithmetic.jpg": (66, 120, 3),
        "complete.jpg": (32, 3 * 32 + 2 * figures.GAP, 3),
    }
    first, real = read(tmp_path / "samples/train_00_0015.png"), read(tmp_path / "samples/real.png")
    assert alike(read(out / "samples.jpg"), final)
    epochs = read(out / "epochs.jpg")
    assert alike(epochs[:, :64], first[:64, :64]) and alike(epochs[:, -64:], final[:64, :64])
    before, masked, completed = np.split(
        np.delete(read(out / "complete.jpg"), [*range(32, 40), *range(72, 80)], 1), 3, 1
    )
    hole = np.s_[4:12, 4:12]
    assert np.abs(masked[hole].astype(int) - 128).max() < 25 and not alike(before[hole], masked[hole])
    assert alike(completed[:3], before[:3]) and not alike(completed[hole], masked[hole])
    assert np.ptp(read(out / "losses.png").reshape(-1, 3), axis=0).min() > 100

    figures.main([*folders, "--out", str(out), "--demo"])
    both = read(out / "demo.jpg")
    assert alike(both[:, :64], real[:64, :64]) and alike(both[:, -64:], final[:64, :64])


def test_the_teaser_completes_faces_of_another_picture(tmp_path, trained, monkeypatch):
    monkeypatch.setattr(figures, "INCLUDED", trained)
    epochs = [np.full([256, 256, 3], colour, np.uint8) for colour in (20, 60, 100, 140)]
    figures.save(figures.beside(*epochs), tmp_path, "epochs.jpg")
    samples = np.full([512, 512, 3], 90, np.uint8)
    figures.save(samples, tmp_path, "samples.jpg")
    figures.main(["--teaser", "--out", str(tmp_path)])
    teaser = read(tmp_path / "teaser.jpg")
    assert teaser.shape == (3 * 128 + figures.GAP, 4 * 256 + 3 * figures.GAP, 3)
    masked, completed, before, shown = (teaser[:256, left : left + 256] for left in range(0, teaser.shape[1], 264))
    assert alike(before, samples[:256, :256]) and alike(shown, before)
    hole = np.s_[40:90, 40:90]
    assert np.abs(masked[hole].astype(int) - 128).max() < 25 and alike(masked[:25], before[:25])
    assert not alike(completed[hole], masked[hole]) and alike(completed[:25], before[:25])
    assert alike(teaser[-128:, -256:], epochs[3][:128])


def test_the_stages_are_corners_of_grids(tmp_path):
    for name, colour in ("a", 90), ("b", 150):
        figures.save(np.full([512, 512, 3], colour, np.uint8), tmp_path, f"{name}.jpg")
    figures.main(["--stages", f"{tmp_path}/a.jpg,{tmp_path}/b.jpg", "--out", str(tmp_path)])
    stages = read(tmp_path / "stages.jpg")
    assert stages.shape == (128 + 18, 2 * (128 + figures.GAP), 3)
    assert (np.abs(stages[:128, :128].astype(int) - 90) < 6).all() and stages[:128, 136:256].mean() > 140


def test_the_last_grid_is_that_of_the_highest_batch(tmp_path):
    for name in "train_00_9999.png", "train_00_10000.png", "train_x_y.png":
        (tmp_path / name).touch()
    assert figures.last_grids(str(tmp_path)) == {1: str(tmp_path / "train_00_10000.png")}


def test_a_folder_without_grids_is_an_error_that_names_it(tmp_path):
    with pytest.raises(UserError, match=r"--sample_dir .*no grids"):
        figures.main(["--sample_dir", str(tmp_path), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_folder_without_losses_is_an_error_before_anything_is_drawn(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "train_00_0000.png")
    for log_dir in tmp_path, tmp_path / "nowhere":
        with pytest.raises(UserError, match=r"--log_dir .*no losses"):
            figures.main(
                [f"--sample_dir={tmp_path}", f"--log_dir={log_dir}", "--history", "--out", str(tmp_path / "out")]
            )
    assert os.listdir(tmp_path / "out") == []
