"""Photos become z, and z pictures that are near them; flags and files of explore.py's commands for photos."""

import dataclasses
import os

import numpy as np
import pytest
from conftest import face_photo, load_model, load_script
from PIL import Image

import utils
from cli.settings import from_options
from errors import UserError
from model import DCGAN
from sampling import blending, completion, generation, latents, projection
from sampling.settings import CompletionSettings, ProjectionSettings, SearchSettings

explore, complete = load_script("explore.py"), load_script("complete.py")


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_generated_picture_is_found_again():
    dcgan = DCGAN(image_size=16, z_dim=8, gf_dim=8, df_dim=4)
    for layer in (dcgan.generator.h0.matrix, *(conv.w for conv in dcgan.generator.convs)):
        layer.assign(5 * layer)  # else all pictures are nearly gray
    pixels = generation.generate(dcgan, latents.draw(5, [0, 1], dcgan.z_dim))
    settings = ProjectionSettings(nIter=200, outInterval=100)
    reports = list(projection.project(completion.Search(dcgan, settings), pixels))
    assert [iteration for iteration, *_ in reports] == [0, 100, 200]
    first, last = (
        np.array([blending.psnr(*map(utils.transform, pair)) for pair in zip(reports[k][2], pixels)]) for k in (0, -1)
    )
    assert (last > first + 6).all() and (last > 30).all(), (first, last)
    np.testing.assert_array_equal(generation.generate(dcgan, reports[-1][1]), reports[-1][2])


def test_project_writes_each_photo_beside_its_picture_and_all_z(tiny_run, tmp_path, capsys):
    photos = [tmp_path / "a" / "one.png", tmp_path / "b" / "one.png", tmp_path / "a" / "z.png"]
    for i, path in enumerate(photos):
        path.parent.mkdir(exist_ok=True)
        face_photo(i).save(path)
    out = tmp_path / "out"
    explore.main(["project", *map(str, photos), "--checkpoint_dir", tiny_run, "--nIter", "2", "--out", str(out)])
    names = ["one", "one-2", "z-2"]
    expected = [f"{name}.{end}" for name in names for end in ("npz", "png")] + ["overview.png", "z.npz"]
    assert sorted(os.listdir(out)) == sorted(expected)
    z = latents.load(out / "z.npz", 8)
    np.testing.assert_array_equal(latents.load(out / "one-2.npz", 8), z[1:2])
    dcgan, _ = load_model(tiny_run)
    assert read(out / "one.png").shape == (16, 32, 3)
    np.testing.assert_array_equal(read(out / "one.png")[:, 16:], generation.generate(dcgan, z)[0])
    said = capsys.readouterr().out
    assert f"{photos[2]}: PSNR " in said and " dB, distance 0." in said


def test_a_direction_is_the_difference_of_means_of_numbers_or_files(tiny_run, tmp_path):
    latents.save(tmp_path / "a.npz", latents.draw(3, [0, 1], 8))
    latents.save(tmp_path / "b.npz", latents.draw(3, [2], 8))
    common = ["--checkpoint_dir", tiny_run, "--minus", "1,4", "--out", str(tmp_path / "d.npz")]
    explore.main(["direction", "--plus", f"{tmp_path}/a.npz,{tmp_path}/b.npz", *common])
    expected = latents.draw(3, [0, 1, 2], 8).mean(0) - latents.draw(0, [1, 4], 8).mean(0)
    np.testing.assert_allclose(latents.load(tmp_path / "d.npz", 8)[0], expected, atol=1e-6)
    with pytest.raises(UserError, match=r"d.npz: is there already; name a new file, such as .*d-2.npz"):
        explore.main(["direction", "--plus", "1", *common])
    with pytest.raises(UserError, match=r"--plus none.npz: no such file"):
        explore.main(["direction", "--plus", "none.npz", *common[:-1], str(tmp_path / "e.npz")])
    with pytest.raises(UserError, match=r"--out d: must end in .npz"):
        explore.main(["direction", "--plus", "1", *common[:-1], "d"])


def test_edit_goes_from_less_to_more_through_the_picture_itself(tiny_run, tmp_path):
    z = latents.draw(0, [3, 7], 8) / 2
    latents.save(tmp_path / "z.npz", z)
    latents.save(tmp_path / "d.npz", np.full([1, 8], 0.25, np.float32))
    files = ["--z", str(tmp_path / "z.npz"), "--direction", str(tmp_path / "d.npz"), "--steps", "3"]
    explore.main(["edit", "--checkpoint_dir", tiny_run, *files, "--out", str(tmp_path / "o")])
    dcgan, _ = load_model(tiny_run)
    rows = np.concatenate([z[:1] - 0.25, z[:1], z[:1] + 0.25])
    strip = read(tmp_path / "o" / "edit.png")
    np.testing.assert_array_equal(strip[:16], np.concatenate(generation.generate(dcgan, rows), axis=1))
    with Image.open(tmp_path / "o" / "edit.gif") as gif:
        assert gif.n_frames == 4  # there and back
    with pytest.raises(UserError, match="holds 2 z; give the file that direction wrote"):
        files[3] = str(tmp_path / "z.npz")
        explore.main(["edit", "--checkpoint_dir", tiny_run, *files, "--out", str(tmp_path / "p")])


def test_the_search_settings_have_the_defaults_of_complete():
    options = complete.flags().parse_args(["photo.png"])
    given = dataclasses.asdict(from_options(CompletionSettings, options))
    assert dataclasses.asdict(SearchSettings()).items() <= given.items()
