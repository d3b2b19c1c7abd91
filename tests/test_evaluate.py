"""evaluate.py with dlib's own models, on drawn faces and a tiny network."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, load_script, run_script
from PIL import Image
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

import demo_faces
from errors import UserError
from evaluation import dlib_features, inception, metrics
from sampling import generation, latents
from training import checkpointing, loop

script = load_script("evaluate.py")


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory):
    """Checkpoint folder of a tiny run at steps 3 and 6."""
    from training.settings import TrainConfig

    folder = tmp_path_factory.mktemp("trained")
    names = {f"{kind}_dir": str(folder / kind) for kind in ("checkpoint", "sample", "log")}
    loop.train(
        TrainConfig(
            dataset=faces, z_dim=8, gf_dim=4, df_dim=4, batch_size=4, epoch=1, checkpoint_every=3, ema=0.9, **names
        )
    )
    return names["checkpoint_dir"]


def drawn(n, seed=0):
    """Drawn faces as an array."""
    return np.stack([np.asarray(demo_faces.draw_face(seed, k)) for k in range(n)])


@pytest.mark.parametrize("border, size", [(1 / 4, 288), (1 / 10, 150)])
def test_crops_are_enlarged_with_their_edges_repeated(border, size):
    crop = np.zeros([64, 64, 1], np.uint8)
    crop[:, :32] = 200
    image = dlib_features.enlarge(crop, border, size)
    assert image.shape == (size, size, 3)
    assert (image[:, 0] == 200).all() and (image[:, -1] == 0).all() and (image[0] == image[-1]).all()
    inner = round(size / (1 + 2 * border))
    assert abs(int((image[0, :, 0] > 100).sum()) - size // 2) <= 1 and inner * 2 > size


def test_faces_are_nearer_to_faces_than_noise_is():
    noise = np.random.default_rng(0).integers(0, 256, [24, 64, 64, 3], np.uint8)
    features, found = dlib_features.look_at(np.concatenate([drawn(48), noise]))
    assert features.shape == (72, 128) and features.dtype == np.float32
    real, floor, far = features[:24], features[24:48], features[48:]
    assert metrics.frechet_distance(real, far) > 3 * metrics.frechet_distance(real, floor)
    assert metrics.one_nn_accuracy(real, far) == 1
    assert found[:48].mean() > 0.1 and not found[48:].any()


def test_a_gray_crop_is_looked_at_as_its_colour_twin():
    gray = drawn(3).mean(-1, keepdims=True).astype(np.uint8)
    colour = gray.repeat(3, -1)
    np.testing.assert_array_equal(dlib_features.look_at(gray)[0], dlib_features.look_at(colour)[0])


def test_script_prints_a_table_and_writes_it_beside_the_checkpoint(trained, faces, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "checkpoints")
    held_out = tmp_path / "held_out"
    demo_faces.write_faces(held_out, 5, seed=9)
    more = ["--held_out", held_out, "--log_dir", tmp_path / "logs", "--workers", 1]
    first = run_script(
        "evaluate.py", "--checkpoint_dir", folder, "--dataset", faces, "--n", 12, "--steps", "all", *more, cwd=tmp_path
    )
    assert first.returncode == 0, first.stderr
    assert "step 3: 12 generated faces (seed 0)" in first.stdout and "step 6: 12 generated" in first.stdout
    with open(folder / "evaluation-6.json") as file:
        table = json.load(file)
    assert (table["step"], table["n"], table["real faces"]) == (6, 12, 26)
    assert [*table["generated"]] == ["face rate", "FDD", "precision", "recall", "1-NN accuracy"]
    assert table["generated"]["FDD"] > table["real"]["FDD"] > 0
    assert [*table["nearest training face"]] == ["12 generated faces", "5 held-out faces"]
    with Image.open(folder / "evaluation-6.png") as sheet:
        assert sheet.size == (16 * 64, 2 * 64)  # 12 samples, each beside its neighbour
    curve = EventAccumulator(str(tmp_path / "logs" / "evaluation")).Reload()
    assert [event.step for event in curve.Tensors("FDD")] == [3, 6]
    assert float(tf.make_ndarray(curve.Tensors("FDD")[1].tensor_proto)) == pytest.approx(table["generated"]["FDD"])
    kept = [name for name in os.listdir(folder) if name.startswith("real-")]
    assert len(kept) == 2
    (folder / "evaluation-6.json").unlink()
    with open(folder / sorted(kept)[0], "r+b") as file:
        file.truncate(100)
    again = run_script("evaluate.py", "--checkpoint_dir", folder, "--dataset", faces, "--n", 12, *more, cwd=tmp_path)
    assert again.returncode == 0 and "looking again" in again.stderr
    with open(folder / "evaluation-6.json") as file:
        assert json.load(file) == table
    assert sorted(os.listdir(tmp_path)) == ["checkpoints", "held_out", "logs"]


def test_features_are_kept_until_the_folder_changes(faces, tmp_path, monkeypatch):
    folder = shutil.copytree(faces, tmp_path / "faces")
    calls = []

    def look_at(images, *_):
        calls.append(len(images))
        return np.zeros([len(images), 128], np.float32), np.ones(len(images), bool)

    monkeypatch.setattr(dlib_features, "look_at", look_at)
    options = script.flags().parse_args(
        ["--dataset", str(folder), "--checkpoint_dir", str(tmp_path / "c"), "--n", "10"]
    )
    network = SimpleNamespace(image_size=64, c_dim=3)
    for _ in range(2):
        real = script.Real(options, network)
    assert calls == [26] and real.n == 10 and real.compared != real.floor
    (folder / "00000.png").unlink()
    script.Real(options, network)
    script.Real(options, SimpleNamespace(image_size=32, c_dim=3))
    assert calls == [26, 25, 25]


def test_broken_files_and_what_the_run_wrote_are_no_real_faces(faces, trained, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(faces, tmp_path / "faces")
    (folder / "00003.png").write_bytes(b"broken")
    checkpoints = shutil.copytree(trained, folder / "checkpoints")
    shutil.copy(folder / "00004.png", checkpoints / "evaluation-6.png")
    monkeypatch.setattr(
        dlib_features, "look_at", lambda images, *_: (np.zeros([len(images), 128]), np.ones(len(images)))
    )
    options = script.flags().parse_args(["--dataset", str(folder), "--checkpoint_dir", str(checkpoints), "--n", "10"])
    real = script.Real(options, SimpleNamespace(image_size=64, c_dim=3))
    assert len(real.faces) == 25
    assert "left out 1 files that do not decode, such as 00003.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--dataset", "nowhere"], "--dataset nowhere: no such folder"),
        (["--dataset", ".", "--held_out", "nowhere"], "--held_out nowhere: no such folder"),
        (["--dataset", "."], "--checkpoint_dir checkpoints: no such folder"),
        (["--dataset", ".", "--steps", "7"], "--steps 7: no such checkpoint in checkpoints (there: none)"),
        (["--dataset", ".", "--n", "3"], "3: must be a whole number from 10 to 10000"),
    ],
)
def test_bad_usage_is_refused_in_words(tmp_path, arguments, message):
    done = run_script("evaluate.py", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == []


def test_inception_features_are_those_of_the_network_at_its_size():
    """A stand-in of the network's interface: the mean of each colour, and of the left half."""

    def network(images):
        assert images.shape[1:] == (299, 299, 3)
        return tf.concat([tf.reduce_mean(images, [1, 2]), tf.reduce_mean(images[:, :, :149], [1, 2])], 1)

    images = drawn(40)
    rows = inception.features(network, images)
    assert rows.shape == (40, 6)  # more than a batch
    np.testing.assert_allclose(rows[:, :3], images.mean((1, 2)) / 127.5 - 1, atol=0.01)
    gray = inception.features(network, images[..., :1])
    np.testing.assert_allclose(gray[:, 0], gray[:, 2], atol=1e-6)


def test_fid_stands_in_the_table_and_needs_enough_faces(faces, trained, tmp_path, monkeypatch):
    """With a stand-in network: the mean of each colour."""
    monkeypatch.setattr(inception, "load", lambda weights: lambda images: tf.reduce_mean(images, [1, 2]))
    monkeypatch.setattr(
        dlib_features, "look_at", lambda images, *_: (np.random.rand(len(images), 128), np.ones(len(images)))
    )
    folder = shutil.copytree(trained, tmp_path / "checkpoints")
    (tmp_path / "weights").write_bytes(b"stand-in")
    arguments = [
        "--dataset",
        faces,
        "--checkpoint_dir",
        str(folder),
        "--n",
        "12",
        "--inception",
        str(tmp_path / "weights"),
    ]
    options = script.flags().parse_args(arguments)
    dcgan, _ = checkpointing.load_model(str(folder))
    with pytest.raises(UserError, match="FID needs at least 2,048 faces of each kind, not 12"):
        script.Real(options, dcgan)
    monkeypatch.setattr(inception, "LEAST", 12)
    real = script.Real(options, dcgan)
    result = script.evaluate(options, None, real)
    images = generation.generate(dcgan, latents.draw(0, range(12), dcgan.z_dim))
    means = [np.stack(rows).mean((1, 2)) / 127.5 - 1 for rows in (real.faces[:12], images, real.faces[12:24])]
    assert result["generated"]["FID"] == pytest.approx(metrics.frechet_distance(means[0], means[1]), abs=2e-3)
    assert result["real"]["FID"] == pytest.approx(metrics.frechet_distance(means[0], means[2]), abs=2e-3)
    kept = len(os.listdir(folder))
    monkeypatch.setattr(inception, "features", lambda *_: pytest.fail("not from the cache"))
    assert script.Real(options, dcgan).table["FID"] == result["real"]["FID"] and len(os.listdir(folder)) == kept


def test_keras_finds_its_home_after_the_start(tmp_path):
    code = "import os; from training import devices; "
    code += "os.environ.setdefault('KERAS_HOME', 'k'); devices.set_up(); import keras; "
    code += "from keras.src.backend.config import keras_home; print(keras_home())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": ROOT},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "k", done.stderr


def test_a_damaged_checkpoint_among_several_is_named_and_passed_over(faces, trained, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "checkpoints")
    with open(folder / "DCGAN.model-3.data-00000-of-00001", "r+b") as file:
        file.truncate(1000)
    done = run_script(
        "evaluate.py", "--checkpoint_dir", folder, "--dataset", faces, "--n", 10, "--steps", "3,6",
        "--log_dir", tmp_path / "logs",
    )  # fmt: skip
    assert done.returncode == 0 and "step 6: 10 generated" in done.stdout
    assert "DCGAN.model-3: damaged" in done.stderr and "Traceback" not in done.stderr


def test_weights_that_are_none_are_refused(tmp_path):
    (tmp_path / "x.weights.h5").write_bytes(b"none")
    with pytest.raises(UserError, match=r"--inception .*x.weights.h5: no weights of Keras' InceptionV3"):
        inception.load(str(tmp_path / "x.weights.h5"))


def test_without_dlib_it_says_what_to_install(faces, trained, tmp_path):
    (tmp_path / "dlib.py").write_text("raise ModuleNotFoundError(\"No module named 'dlib'\", name='dlib')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = run_script("evaluate.py", "--checkpoint_dir", trained, "--dataset", faces, "--n", 10, env=environment)
    assert done.returncode == 1
    assert "the package dlib is not installed here; type: " in done.stderr and "Traceback" not in done.stderr
