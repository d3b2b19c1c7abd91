"""generate.py, in this process, on a tiny network."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import TF1, load_model, load_script
from PIL import Image

from errors import UserError
from sampling import latents

generate = load_script("generate.py")


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_writes_exactly_n_pictures_that_depend_on_neither_n_nor_batch(tiny_run, tmp_path):
    for n in (3, 70):
        generate.main(["--checkpoint_dir", tiny_run, "--n", str(n), "--out", str(tmp_path / str(n))])
        assert sorted(os.listdir(tmp_path / str(n))) == [f"{i:05d}.png" for i in range(n)]
    generate.main(["--checkpoint_dir", tiny_run, "--seeds", "66,2", "--out", str(tmp_path / "picked")])
    assert sorted(os.listdir(tmp_path / "picked")) == ["00002.png", "00066.png"]
    for name, folders in (("00002.png", ("3", "70", "picked")), ("00066.png", ("70", "picked"))):
        pictures = [read(tmp_path / folder / name) for folder in folders]
        assert all(np.array_equal(picture, pictures[0]) for picture in pictures)


def test_pictures_are_the_networks(tiny_run, tmp_path):
    generate.main(["--checkpoint_dir", tiny_run, "--n", "2", "--out", str(tmp_path / "o"), "--step", "4"])
    dcgan, step = load_model(tiny_run, 4)
    expected = (dcgan.sample(latents.draw(0, [1], 8)).numpy()[0] + 1) * 127.5
    assert step == 4
    assert np.abs(read(tmp_path / "o" / "00001.png") - expected).max() <= 0.51


def test_seed_grid_and_saved_z(tiny_run, tmp_path):
    common = ["--checkpoint_dir", tiny_run]
    z, one, two = str(tmp_path / "z.npz"), str(tmp_path / "1.png"), str(tmp_path / "2.png")
    generate.main([*common, "--n", "5", "--seed", "3", "--grid", one, "--save_z", z])
    generate.main([*common, "--z", z, "--grid", two, "--columns", "5"])
    assert read(one).shape == (32, 48, 3) and read(two).shape == (16, 80, 3)
    np.testing.assert_array_equal(read(one)[:16, :16], read(two)[:, :16])


def test_rank_puts_pictures_with_a_face_first_and_then_goes_by_the_discriminators_score(
    tiny_run, tmp_path, monkeypatch, capsys
):
    faces = np.array([0, 1, 0, 1, 1, 0], bool)
    monkeypatch.setattr("recognition.dlib_features.has_face", lambda images, **_: faces[: len(images)])
    generate.main(["--checkpoint_dir", tiny_run, "--n", "6", "--rank", "--out", str(tmp_path / "o")])
    names = sorted(os.listdir(tmp_path / "o"))
    dcgan, _ = load_model(tiny_run)
    scores = dcgan.discriminator(dcgan.generator(latents.draw(0, range(6), 8)))[0].numpy()[:, 0]
    by_score = scores.argsort()[::-1]
    expected = [*by_score[faces[by_score]], *by_score[~faces[by_score]]]
    assert [int(name[-9:-4]) for name in names] == expected
    assert "first the 3 of 6 in which dlib's detector finds a face" in capsys.readouterr().out

    def missing():
        raise ModuleNotFoundError("No module named 'dlib'", name="dlib")

    monkeypatch.setattr("recognition.dlib_features.check_installed", missing)
    generate.main(["--checkpoint_dir", tiny_run, "--n", "6", "--rank", "--out", str(tmp_path / "p")])
    assert [int(name[-9:-4]) for name in sorted(os.listdir(tmp_path / "p"))] == by_score.tolist()
    assert "by D's score alone, since dlib is not installed" in capsys.readouterr().out


def test_a_file_that_is_there_is_not_replaced(tiny_run, tmp_path):
    (tmp_path / "g.png").write_text("mine")
    for flag, name in (("--grid", "g.png"), ("--save_z", "z.npz"), ("--export", "m.onnx")):
        (tmp_path / name).write_text("mine")
        with pytest.raises(UserError, match=rf"{name}: is there already; name a new file, such as .*-2\."):
            generate.main(["--checkpoint_dir", tiny_run, flag, str(tmp_path / name)])
        assert (tmp_path / name).read_text() == "mine"


def test_exported_generator_runs_without_this_project(tiny_run, tmp_path):
    generate.main(
        ["--checkpoint_dir", tiny_run, "--export", str(tmp_path / "m"), "--n", "3", "--out", str(tmp_path / "o")]
    )
    np.save(tmp_path / "z.npy", latents.draw(0, range(3), 8))
    code = (
        "import numpy as np, tensorflow as tf; m = tf.saved_model.load('m').signatures['serving_default'];"
        "images = m(z=np.load('z.npy'))['images']; assert images.dtype == tf.uint8; np.save('i.npy', images)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    images = np.load(tmp_path / "i.npy")
    for i in range(3):
        assert np.abs(images[i].astype(int) - read(tmp_path / "o" / f"{i:05d}.png")).max() <= 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "nothing to write"),
        (["--out", "full"], "--out full: is not empty"),
        (["--grid", "g.jpg"], "--grid g.jpg: must end in .png"),
        (["--grid", "no/g.png"], "--grid no/g.png: there is no folder no"),
        (["--grid", "g.png", "--step", "5"], r"--step 5: no such checkpoint .*there: 4, 6"),
        (["--grid", "g.png", "--seeds", "a"], "--seeds a: must be"),
        (["--grid", "g.png", "--checkpoint_dir", "nowhere"], "--checkpoint_dir nowhere: no such folder"),
        (["--grid", "g.png", "--checkpoint_dir", "full"], "full: holds no network"),
    ],
)
def test_bad_usage_is_refused(tiny_run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UserError, match=message):
        generate.main(["--checkpoint_dir", tiny_run, *arguments])
    assert os.listdir(tmp_path) == ["full"]


def test_generate_takes_a_tf1_checkpoint(tmp_path):
    generate.main(["--checkpointDir", TF1, "--n", "2", "--grid", str(tmp_path / "g.png")])
    assert read(tmp_path / "g.png").shape == (64, 128, 3)


def test_a_picture_that_is_named_twice_is_drawn_and_counted_once(tiny_run, tmp_path, capsys):
    generate.main(["--checkpoint_dir", tiny_run, "--seeds", "3,3,5", "--out", str(tmp_path / "o")])
    assert sorted(os.listdir(tmp_path / "o")) == ["00003.png", "00005.png"]
    assert "2 pictures" in capsys.readouterr().out


def test_a_name_stands_for_the_folder_of_its_run(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_run, "checkpoints/b")
    generate.main(["--name", "b", "--grid", "g.png"])
    with pytest.raises(UserError, match="--name b: gives the folders of the run; leave out --checkpoint_dir"):
        generate.main(["--name", "b", "--checkpoint_dir", "checkpoints", "--grid", "g.png"])
    with pytest.raises(UserError, match="--name a/b: must be letters"):
        generate.main(["--name", "a/b", "--grid", "g.png"])


def test_rank_prints_numbers_that_explore_can_take(tiny_run, tmp_path, capsys):
    generate.main(["--checkpoint_dir", tiny_run, "--n", "20", "--rank", "--out", str(tmp_path / "o")])
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("the best, for --seeds: "))
    numbers = line.split(": ")[1].split(",")
    files = sorted(os.listdir(tmp_path / "o"))
    assert [int(number) for number in numbers] == [int(name.split("_")[2][:5]) for name in files[:16]]


def test_a_grid_can_show_the_numbers(tiny_run, tmp_path):
    generate.main(["--checkpoint_dir", tiny_run, "--seeds", "7,123", "--grid", str(tmp_path / "g.png"), "--numbers"])
    grid = read(tmp_path / "g.png")
    assert grid.shape == (16 + 12, 32, 3)
    left, right = grid[16:, :16], grid[16:, 16:]
    assert (left < 128).any() and (right < 128).sum() > (left < 128).sum()
