"""Which network is used: one's own, or the one that comes with the project."""

import glob
import os
import shutil

import numpy as np
import pytest
from conftest import ROOT, load_script, run_script

from docs import pack_network
from errors import DamagedError, UserError
from runs import network as networks
from runs.loading import load_initial_weights, load_model
from runs.network import describe, find_network
from training.settings import TrainSettings

Z = np.random.default_rng(0).uniform(-1, 1, [4, 8]).astype(np.float32)


@pytest.fixture
def included(trained, tmp_path, monkeypatch):
    """A packed network in the place of networks/faces, and a current folder without runs."""
    folder = tmp_path / "project" / "networks" / "faces"
    pack_network.pack(find_network(trained), folder)
    monkeypatch.setattr(networks, "INCLUDED", str(folder))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def test_a_packed_network_draws_as_the_average_did_and_tells_nothing_of_the_photos(trained, included):
    before, after = load_model(find_network(trained)), load_model(find_network(str(included)))
    assert before.g_ema and not after.g_ema
    np.testing.assert_allclose(after.sample(Z), before.sample(Z), atol=3e-3)
    images = before.sample(Z)
    np.testing.assert_allclose(after.discriminator(images)[1], before.discriminator(images)[1], atol=1e-2)
    assert all(variable.dtype == "float32" for variable in after.generator.variables)
    sizes = {os.path.basename(path): os.path.getsize(path) for path in glob.glob(f"{included}/*")}
    assert sorted(sizes) == ["DCGAN.model-6.data-00000-of-00001", "DCGAN.model-6.index", "settings.json"]
    weights = sum(v.shape.num_elements() for v in (*after.generator.variables, *after.discriminator.variables))
    assert sizes["DCGAN.model-6.data-00000-of-00001"] < 2.2 * weights
    assert "dataset" not in (included / "settings.json").read_text()


def test_it_serves_only_while_there_is_no_run_of_ones_own(trained, included, capsys):
    assert find_network(None).directory == str(included)
    describe(find_network(None))
    said = "no run of yours in checkpoints; this is the network that comes with the project, networks/faces, step 6\n"
    assert capsys.readouterr().out == said
    with pytest.raises(UserError, match="no such folder"):
        find_network("checkpoints/wrong")
    shutil.copytree(trained, "checkpoints/mine")
    with pytest.raises(UserError, match="checkpoints: holds no network; there is --name mine"):
        find_network(None)
    shutil.rmtree("checkpoints")
    os.makedirs("checkpoints")
    shutil.copy(os.path.join(trained, "settings.json"), "checkpoints")
    with pytest.raises(UserError, match="no checkpoint in it yet"):
        find_network(None)


def test_a_training_may_start_from_it_but_not_go_on_in_it(included):
    settings = dict(dataset=".", z_dim=8, gf_dim=4, df_dim=4)
    with pytest.raises(UserError, match=r"comes with the project, and stays as it is; .* --init_from networks/faces"):
        TrainSettings(checkpoint_dir=str(included), **settings)
    dcgan = load_model(find_network(None))
    other = type(dcgan)(z_dim=8, gf_dim=4, df_dim=4, seed=3)
    load_initial_weights(other, find_network(str(included), flag="--init_from"))
    np.testing.assert_array_equal(other.sample(Z), dcgan.sample(Z))


@pytest.mark.parametrize("name", ["DCGAN.model-6.data-00000-of-00001", "DCGAN.model-6.index"])
@pytest.mark.parametrize("damage", ["cut", "changed", "removed"])
def test_damage_is_said_in_one_error(included, name, damage):
    path = included / name
    content = bytearray(path.read_bytes())
    if damage == "removed":
        path.unlink()
    else:
        content[len(content) // 2] ^= 255
        path.write_bytes(content[: len(content) // (2 if damage == "cut" else 1)])
    with pytest.raises(UserError) as error:
        load_model(find_network(None))
    assert isinstance(error.value, DamagedError) or "no checkpoint in it" in str(error.value)
    assert "\n" not in str(error.value)


def test_evaluation_writes_nothing_beside_it(included):
    with pytest.raises(UserError, match="comes with the project; name a folder for the results, --out"):
        load_script("evaluate.py").main(["--dataset", ".", "--checkpoint_dir", str(included)])


@pytest.mark.skipif(not os.path.isdir(os.path.join(ROOT, "networks", "faces")), reason="there is none yet")
def test_the_one_that_comes_with_the_project_draws_from_any_folder(tmp_path):
    done = run_script("generate.py", "--n", 4, "--grid", "grid.png", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("no run of yours in checkpoints; this is the network")
    assert os.listdir(tmp_path) == ["grid.png"]
