"""explore.py, in this process, on a tiny network."""

import os

import numpy as np
import pytest
from conftest import load_model, load_script
from PIL import Image

from errors import UserError
from sampling import generation, latents

explore = load_script("explore.py")


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_interpolation_begins_and_ends_with_the_originals(tiny_run, tmp_path):
    explore.main(
        ["interpolate", "--checkpoint_dir", tiny_run, "--seeds", "3,7,1", "--steps", "4", "--out", str(tmp_path)]
    )
    dcgan, _ = load_model(tiny_run)
    originals = generation.generate(dcgan, latents.draw(0, [3, 7, 1], 8))
    for name in ("linear", "spherical"):
        strip = read(tmp_path / f"{name}.png")
        assert strip.shape == (32, 64, 3)
        for corner, original in (((0, 0), 0), ((0, 48), 1), ((16, 0), 1), ((16, 48), 2)):
            y, x = corner
            np.testing.assert_array_equal(strip[y : y + 16, x : x + 16], originals[original])
        assert len(os.listdir(tmp_path / name)) == 9  # three ways of 4 pictures, each end once
        with Image.open(tmp_path / f"{name}.gif") as gif:
            assert gif.n_frames == 9 and gif.info["loop"] == 0


def test_arithmetic_adds_and_subtracts_means(tiny_run, tmp_path):
    arguments = ["--plus", "1,2", "--minus", "3", "--plus2", "4,5,6", "--out", str(tmp_path / "o")]
    explore.main(["arithmetic", "--checkpoint_dir", tiny_run, *arguments])
    z = latents.draw(0, range(7), 8)
    result = z[1:3].mean(0) - z[3] + z[4:].mean(0)
    np.testing.assert_allclose(latents.load(tmp_path / "o" / "result.npz", 8)[0], result, rtol=1e-5, atol=1e-6)
    dcgan, _ = load_model(tiny_run)
    assert (
        np.abs(read(tmp_path / "o" / "result.png") - generation.generate(dcgan, result[None])[0].astype(int)).max() <= 1
    )
    assert read(tmp_path / "o" / "arithmetic.png").shape == (4 * 16 + 2, 3 * 24 + 48, 3)


def test_walk_varies_one_coordinate_at_a_time(tiny_run, tmp_path):
    arguments = ["--coordinates", "0,5", "--seeds", "2,3", "--steps", "3", "--out", str(tmp_path / "o")]
    explore.main(["walk", "--checkpoint_dir", tiny_run, *arguments])
    assert sorted(os.listdir(tmp_path / "o")) == ["z000.gif", "z000.png", "z005.gif", "z005.png"]
    dcgan, _ = load_model(tiny_run)
    z = latents.draw(0, [3], 8)
    z[:, 5] = 1
    np.testing.assert_array_equal(read(tmp_path / "o" / "z005.png")[16:, 32:], generation.generate(dcgan, z)[0])
    with pytest.raises(UserError, match="z has coordinates 0 to 7"):
        explore.main(["walk", "--checkpoint_dir", tiny_run, "--coordinates", "8", "--out", str(tmp_path / "p")])


def test_a_walk_takes_the_coordinates_that_change_the_pictures_most(tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sampling.exploring.WALKED", 3)
    explore.main(["walk", "--checkpoint_dir", tiny_run, "--seeds", "1", "--steps", "2", "--out", str(tmp_path / "o")])
    dcgan, _ = load_model(tiny_run)
    changes = []
    for coordinate in range(8):
        z = latents.draw(0, [1, 1], 8)
        z[:, coordinate] = -1, 1
        pictures = dcgan.sample(z).numpy()
        changes.append(np.abs(pictures[1] - pictures[0]).mean())
    strongest = np.argsort(changes)[::-1][:3]
    assert sorted(os.listdir(tmp_path / "o")) == sorted(f"z00{i}.{end}" for i in strongest for end in ("gif", "png"))
    assert f"change these pictures most: {', '.join(map(str, strongest))}\n" in capsys.readouterr().out


def test_a_walk_along_a_short_z_takes_all_its_coordinates(tiny_run, tmp_path):
    explore.main(["walk", "--checkpoint_dir", tiny_run, "--seeds", "1", "--steps", "2", "--out", str(tmp_path / "o")])
    assert sorted(os.listdir(tmp_path / "o")) == sorted(f"z00{i}.{end}" for i in range(8) for end in ("gif", "png"))


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("--name faces interpolate --out x", "interpolate --name faces --out x"),
        ("--debug walk --out x", "walk --debug --out x"),
        ("--name walk edit --out x", "edit --name walk --out x"),
        ("project --align a.png --out x", "project --align a.png --out x"),
    ],
)
def test_flags_may_come_before_the_command(typed, meant):
    assert explore.command_first(typed.split()) == meant.split()


@pytest.mark.parametrize("typed", ["interpolat --out x", "--name demo interpolat", "--name=demo interpolat --out x"])
def test_a_wrong_command_is_answered_with_the_nearest(typed):
    with pytest.raises(UserError, match=r"^interpolat: no such command; did you mean interpolate\?$"):
        explore.main(typed.split())
