"""docs/figures.py: the README's pictures, from the folders of a tiny run."""

import os

import numpy as np
import pytest
from conftest import load_script
from PIL import Image

import demo_faces
import training

figures = load_script("docs/figures.py")


def read(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_draws_each_picture_from_the_folders_of_a_run(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "EPOCHS", (1, 2, 20))
    monkeypatch.setattr(figures, "COMPLETED", 4)
    demo_faces.write_faces(tmp_path / "faces", 64)
    config = tiny(dataset=str(tmp_path / "faces"), epoch=2, sample_every=16)
    training.train(config)
    folders = [f for n in ("checkpoint", "sample", "log") for f in (f"--{n}_dir", getattr(config, f"{n}_dir"))]
    out = tmp_path / "images"
    out.mkdir()
    figures.main([*folders, "--out", str(out)])
    final = read(max(tmp_path.glob("samples/train_01_*.png")))
    sizes = {path.name: read(path).shape for path in out.iterdir()}
    assert sizes.pop("losses.png") == (300, 800, 3)
    assert sizes == {
        "samples.jpg": final.shape,
        "epochs.jpg": (64, 64 + figures.GAP + 64, 3),  # of three epochs, two were run: 4x4 faces of 16 pixels
        "interpolate.jpg": (3 * 16, 12 * 16, 3),
        "arithmetic.jpg": (66, 120, 3),
        "complete.jpg": (32, 3 * 32 + 2 * figures.GAP, 3),
    }
    assert np.abs(read(out / "samples.jpg").astype(int) - final).mean() < 6  # JPEG
    assert np.ptp(read(out / "losses.png").reshape(-1, 3), axis=0).min() > 100

    figures.main([*folders, "--out", str(out), "--demo"])
    both = read(out / "demo.jpg").astype(int)
    assert np.abs(both[:, -64:] - final[:64, :64]).mean() < 6


def test_a_folder_without_grids_is_an_error_that_names_it(tmp_path):
    with pytest.raises(SystemExit, match=r"--sample_dir .*no grids"):
        figures.main(["--sample_dir", str(tmp_path), "--out", os.devnull])
