"""generate.py and explore.py, in this process, on a tiny network."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import FIXTURES, load_script
from PIL import Image

from errors import UserError
from sampling import generation, latents
from training import loop
from training.checkpointing import load_model

generate = load_script("generate.py")
explore = load_script("explore.py")
TF1 = os.path.join(FIXTURES, "tf1_checkpoint")


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory):
    """A checkpoint folder of a tiny run, with two checkpoints."""
    from conftest import TINY

    from training.settings import TrainConfig

    folder = tmp_path_factory.mktemp("trained")
    folders = {f"{kind}_dir": str(folder / kind) for kind in ("checkpoint", "sample", "log")}
    loop.train(TrainConfig(dataset=faces, **TINY | dict(checkpoint_every=4), **folders))
    return folders["checkpoint_dir"]


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_writes_exactly_n_pictures_that_depend_on_neither_n_nor_batch(trained, tmp_path):
    for n in (3, 70):
        generate.main(["--checkpoint_dir", trained, "--n", str(n), "--out", str(tmp_path / str(n))])
        assert sorted(os.listdir(tmp_path / str(n))) == [f"{i:05d}.png" for i in range(n)]
    generate.main(["--checkpoint_dir", trained, "--seeds", "66,2", "--out", str(tmp_path / "picked")])
    assert sorted(os.listdir(tmp_path / "picked")) == ["00002.png", "00066.png"]
    for name, folders in (("00002.png", ("3", "70", "picked")), ("00066.png", ("70", "picked"))):
        pictures = [read(tmp_path / folder / name) for folder in folders]
        assert all(np.array_equal(picture, pictures[0]) for picture in pictures)


def test_pictures_are_the_networks(trained, tmp_path):
    generate.main(["--checkpoint_dir", trained, "--n", "2", "--out", str(tmp_path / "o"), "--step", "4"])
    dcgan, step = load_model(trained, 4)
    expected = (dcgan.sample(latents.draw(0, [1], 8)).numpy()[0] + 1) * 127.5
    assert step == 4
    assert np.abs(read(tmp_path / "o" / "00001.png") - expected).max() <= 0.51


def test_seed_grid_and_saved_z(trained, tmp_path):
    common = ["--checkpoint_dir", trained]
    z, one, two = str(tmp_path / "z.npz"), str(tmp_path / "1.png"), str(tmp_path / "2.png")
    generate.main([*common, "--n", "5", "--seed", "3", "--grid", one, "--save_z", z])
    generate.main([*common, "--z", z, "--grid", two, "--columns", "5"])
    assert read(one).shape == (32, 48, 3) and read(two).shape == (16, 80, 3)
    np.testing.assert_array_equal(read(one)[:16, :16], read(two)[:, :16])


def test_rank_orders_by_the_discriminators_score(trained, tmp_path):
    generate.main(["--checkpoint_dir", trained, "--n", "6", "--rank", "--out", str(tmp_path / "o")])
    names = sorted(os.listdir(tmp_path / "o"))
    dcgan, _ = load_model(trained)
    scores = dcgan.discriminator(dcgan.generator(latents.draw(0, range(6), 8)))[0].numpy()[:, 0]
    assert [int(name[-9:-4]) for name in names] == scores.argsort()[::-1].tolist()


def test_exported_generator_runs_without_this_project(trained, tmp_path):
    generate.main(
        ["--checkpoint_dir", trained, "--export", str(tmp_path / "m"), "--n", "3", "--out", str(tmp_path / "o")]
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
        (["--grid", "no/g.png"], "--grid no/g.png: there is no folder no"),
        (["--grid", "g.png", "--step", "5"], r"--step 5: no such checkpoint .*there: 4, 6"),
        (["--grid", "g.png", "--seeds", "a"], "--seeds a: must be"),
        (["--grid", "g.png", "--checkpoint_dir", "nowhere"], "--checkpoint_dir nowhere: no such folder"),
        (["--grid", "g.png", "--checkpoint_dir", "full"], "full: neither settings.json nor a TF1 checkpoint"),
    ],
)
def test_bad_usage_is_refused(trained, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UserError, match=message):
        generate.main(["--checkpoint_dir", trained, *arguments])
    assert os.listdir(tmp_path) == ["full"]


def test_tf1_checkpoint_reproduces_its_outputs():
    tf1 = np.load(os.path.join(os.path.dirname(TF1), "tf1_parity.npz"))
    dcgan, step = load_model(TF1)
    assert step == 3
    np.testing.assert_allclose(dcgan.sample(tf1["z/0"]), tf1["sample"], atol=1e-5)
    np.testing.assert_allclose(dcgan.discriminator(tf1["images/0"])[0][:, 0], tf1["d_sample"].ravel(), atol=1e-5)


def test_generate_takes_a_tf1_checkpoint(tmp_path):
    generate.main(["--checkpointDir", TF1, "--n", "2", "--grid", str(tmp_path / "g.png")])
    assert read(tmp_path / "g.png").shape == (64, 128, 3)


def test_interpolation_begins_and_ends_with_the_originals(trained, tmp_path):
    explore.main(
        ["interpolate", "--checkpoint_dir", trained, "--seeds", "3,7,1", "--steps", "4", "--out", str(tmp_path)]
    )
    dcgan, _ = load_model(trained)
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


def test_arithmetic_adds_and_subtracts_means(trained, tmp_path):
    arguments = ["--plus", "1,2", "--minus", "3", "--plus2", "4,5,6", "--out", str(tmp_path / "o")]
    explore.main(["arithmetic", "--checkpoint_dir", trained, *arguments])
    z = latents.draw(0, range(7), 8)
    result = z[1:3].mean(0) - z[3] + z[4:].mean(0)
    np.testing.assert_allclose(latents.load(tmp_path / "o" / "result.npz", 8)[0], result, rtol=1e-5, atol=1e-6)
    dcgan, _ = load_model(trained)
    assert (
        np.abs(read(tmp_path / "o" / "result.png") - generation.generate(dcgan, result[None])[0].astype(int)).max() <= 1
    )
    assert read(tmp_path / "o" / "arithmetic.png").shape == (4 * 16 + 2, 3 * 24 + 48, 3)


def test_walk_varies_one_coordinate_at_a_time(trained, tmp_path):
    arguments = ["--coordinates", "0,5", "--seeds", "2,3", "--steps", "3", "--out", str(tmp_path / "o")]
    explore.main(["walk", "--checkpoint_dir", trained, *arguments])
    assert sorted(os.listdir(tmp_path / "o")) == ["z000.gif", "z000.png", "z005.gif", "z005.png"]
    dcgan, _ = load_model(trained)
    z = latents.draw(0, [3], 8)
    z[:, 5] = 1
    np.testing.assert_array_equal(read(tmp_path / "o" / "z005.png")[16:, 32:], generation.generate(dcgan, z)[0])
    with pytest.raises(UserError, match="z has coordinates 0 to 7"):
        explore.main(["walk", "--checkpoint_dir", trained, "--coordinates", "8", "--out", str(tmp_path / "p")])
