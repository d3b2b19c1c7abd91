"""Directions with names: what is fitted, what is dropped, and what is kept beside a checkpoint."""

import os
import shutil

import numpy as np
import pytest
from conftest import load_script

from errors import UserError
from recognition import landmarks
from runs.network import find_network
from sampling import directions, latents

explore = load_script("explore.py")
Z = np.random.default_rng(1).uniform(-1, 1, [2000, 12]).astype(np.float32)


def test_each_direction_raises_its_own_measure_alone():
    truth = np.random.default_rng(2).normal(size=[12, 3])
    measures = Z @ truth + 5
    vectors = directions.unmixed(Z, measures)
    np.testing.assert_allclose(vectors @ truth, np.eye(3), atol=0.03)


class Finder:
    """Takes the pictures of `Identity` for landmarks."""

    def find(self, pictures, detect=True):
        return pictures, np.ones(len(pictures), bool)


@pytest.fixture
def linear(monkeypatch):
    """A network whose pictures are z, and measures that are its first numbers."""
    monkeypatch.setattr(directions.generation, "generate", lambda dcgan, z: z)
    monkeypatch.setattr(landmarks, "measure", lambda points, pictures: points[:, :8])


def test_a_direction_that_moves_another_measure_too_much_is_shortened_or_dropped(linear):
    spread, z = np.ones(8, np.float32), Z / 10
    mixed = np.zeros(12, np.float32)
    mixed[[2, 5]] = 0.8, 0.2  # from -1 to 1: the own measure 1.6, another 0.4
    vector, changes = directions.tried(None, Finder(), z, mixed, 2, spread)
    assert changes[2] == pytest.approx(1.6 * 0.675, rel=1e-3) and changes[5] == pytest.approx(0.27, rel=1e-3)
    np.testing.assert_allclose(vector, mixed * 0.675, rtol=1e-3)
    mixed[5] = 0.5
    assert directions.tried(None, Finder(), z, mixed, 2, spread) is None
    assert directions.tried(None, Finder(), z, np.eye(12, dtype=np.float32)[2] * 0.4, 2, spread) is None


@pytest.fixture
def kept(trained, tmp_path):
    """A copy of a run with two directions beside its checkpoint."""
    folder = shutil.copytree(trained, tmp_path / "run")
    vectors = np.eye(2, 8, dtype=np.float32)
    found = directions.Directions(["smile", "turn"], vectors, np.zeros([2, 8]), np.zeros(2))
    network = find_network(str(folder))
    directions.save(network, found, directions.fingerprint(network))
    return folder


def test_they_are_kept_for_their_checkpoint_alone(kept):
    found = directions.load(find_network(str(kept)))
    assert found.names == ["smile", "turn"]
    assert directions.load(find_network(str(kept), 3)) is None
    with open(kept / directions.FILE, "r+b") as file:
        file.truncate(100)
    assert directions.load(find_network(str(kept))) is None


def test_edit_takes_a_name_and_an_existing_file_wins(kept, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    latents.save("z.npz", np.zeros([1, 8], np.float32))
    seen = []
    monkeypatch.setattr("sampling.figures.edit", lambda dcgan, z, vector, *_: seen.append(vector.tolist()))
    common = ["edit", "--checkpoint_dir", str(kept), "--z", "z.npz"]
    explore.main([*common, "--direction", "turn", "--out", "a"])
    latents.save("turn", np.full([1, 8], 0.5, np.float32))
    explore.main([*common, "--direction", "turn", "--out", "b"])
    assert seen == [np.eye(2, 8)[1].tolist(), [0.5] * 8]
    with pytest.raises(UserError, match="--direction grin: neither a file nor one of smile, turn"):
        explore.main([*common, "--direction", "grin", "--out", "c"])


def test_a_network_that_draws_no_faces_has_none(trained, tmp_path, monkeypatch):
    pytest.importorskip("dlib")
    monkeypatch.setattr(directions, "SAMPLES", 70)
    folder = str(shutil.copytree(trained, tmp_path / "run"))
    with pytest.raises(UserError, match=r"dlib finds a face in .*% of this network's pictures, too few"):
        explore.main(["directions", "--checkpoint_dir", folder])
    assert not os.path.exists(os.path.join(folder, directions.FILE))
