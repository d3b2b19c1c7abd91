"""Real faces and the report, with stand-ins for dlib's and Inception's networks."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY, load_model, train

from errors import UserError
from evaluation import inception, metrics, report
from evaluation.real import RealFaces
from evaluation.settings import EvaluationSettings
from recognition import dlib_features
from runs.network import find_network
from sampling import generation, latents


def real_of(checkpoint_dir, dataset, image_size=64, **settings):
    return RealFaces(
        str(checkpoint_dir), image_size, 3, EvaluationSettings(**dict(dataset=str(dataset), n=10) | settings)
    )


def test_features_are_kept_until_the_folder_changes(faces, tmp_path, monkeypatch):
    folder = shutil.copytree(faces, tmp_path / "faces")
    calls = []

    def features(images, **_):
        calls.append(len(images))
        return np.zeros([len(images), 128], np.float32)

    monkeypatch.setattr(dlib_features, "features", features)
    monkeypatch.setattr(dlib_features, "has_face", lambda images, *_: np.ones(len(images), bool))
    for _ in range(2):
        real = real_of(tmp_path / "c", folder)
    assert calls == [26] and real.n == 10 and real.compared != real.floor
    (folder / "00000.png").unlink()
    for size in 64, 32:
        real_of(tmp_path / "c", folder, size)
    assert calls == [26, 25, 25]


def test_broken_files_and_what_the_run_wrote_are_no_real_faces(faces, trained, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(faces, tmp_path / "faces")
    for name in ("00003.png", "00005.png", "00007.png"):  # more than --max_bad allows by default
        (folder / name).write_bytes(b"broken")
    checkpoints = shutil.copytree(trained, folder / "checkpoints")
    shutil.copy(folder / "00004.png", checkpoints / "evaluation-6.png")
    monkeypatch.setattr(dlib_features, "features", lambda images, **_: np.zeros([len(images), 128]))
    monkeypatch.setattr(dlib_features, "has_face", lambda images, *_: np.ones(len(images)))
    real = real_of(checkpoints, folder)
    assert len(real.faces) == 23
    assert "left out 3 files that do not decode, such as 0000" in capsys.readouterr().out


def test_fid_stands_in_the_table_and_needs_enough_faces(faces, trained, tmp_path, monkeypatch):
    """With a stand-in network: the mean of each colour."""
    monkeypatch.setattr(inception, "load", lambda weights: lambda images: tf.reduce_mean(images, [1, 2]))
    monkeypatch.setattr(dlib_features, "features", lambda images, **_: np.random.rand(len(images), 128))
    monkeypatch.setattr(dlib_features, "has_face", lambda images, *_: np.ones(len(images)))
    folder = shutil.copytree(trained, tmp_path / "checkpoints")
    (tmp_path / "weights").write_bytes(b"stand-in")
    dcgan, _ = load_model(str(folder))

    def real_faces():
        return real_of(folder, faces, n=12, inception=str(tmp_path / "weights"))

    with pytest.raises(UserError, match="FID needs at least 2,048 faces of each kind, not 12"):
        real_faces()
    monkeypatch.setattr(inception, "LEAST", 12)
    real = real_faces()
    result = report.evaluate(find_network(str(folder)), real)
    images = generation.generate(dcgan, latents.draw(0, range(12), dcgan.z_dim))
    means = [np.stack(rows).mean((1, 2)) / 127.5 - 1 for rows in (real.faces[:12], images, real.faces[12:24])]
    assert result["generated"]["FID"] == pytest.approx(metrics.frechet_distance(means[0], means[1]), abs=2e-3)
    assert result["real"]["FID"] == pytest.approx(metrics.frechet_distance(means[0], means[2]), abs=2e-3)
    kept = len(os.listdir(folder))
    monkeypatch.setattr(inception, "features", lambda *_: pytest.fail("not from the cache"))
    assert real_faces().table["FID"] == result["real"]["FID"] and len(os.listdir(folder)) == kept


def test_an_empty_held_out_folder_is_named_by_its_flag(faces, trained, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match=r"--held_out .*none: no images in it"):
        real_of(trained, faces, held_out=str(tmp_path / "none"), cache_dir=str(tmp_path))


def test_what_the_run_held_out_is_compared_by_itself(faces, tmp_path, monkeypatch):
    looked_at = {}

    def features(images, what):
        looked_at[what] = len(images)
        return np.random.rand(len(images), 128)

    monkeypatch.setattr(dlib_features, "features", features)
    monkeypatch.setattr(dlib_features, "has_face", lambda images, *_: np.ones(len(images)))
    folder = train(tmp_path, dataset=faces, **TINY, hold_out=5)
    real = real_of(folder, faces, 16)
    assert looked_at == {"real faces": 21, "held-out faces": 5}
    assert real.other_distances[0] == "5 held-out faces"
