import glob
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, load_model
from hypothesis import given, strategies

from errors import UserError
from runs import files
from runs.checkpoints import Checkpoints
from training import loop


def make(folder, value=0.0, max_to_keep=3):
    x = tf.Variable(value, dtype=tf.float32)
    return x, Checkpoints(str(folder), max_to_keep, x=x)


def test_restores_what_was_saved_and_says_which_step(tmp_path):
    x, checkpoints = make(tmp_path, 1.5)
    checkpoints.save(7)
    checkpoints.lock.close()
    y, again = make(tmp_path)
    assert again.restore() == 7
    assert float(y) == 1.5


def test_nothing_to_restore_is_step_zero(tmp_path):
    assert make(tmp_path)[1].restore() == 0


def test_keeps_the_newest(tmp_path):
    _, checkpoints = make(tmp_path, max_to_keep=2)
    for step in 5, 10, 100, 20:
        checkpoints.save(step)
    assert checkpoints.steps() == [10, 20]
    assert len(os.listdir(tmp_path)) == 2 * 2 + 2  # and the lock and TensorFlow's own state file


def test_tensorflow_finds_the_latest(tmp_path):
    _, checkpoints = make(tmp_path)
    for step in 5, 10:
        checkpoints.save(step)
    latest = tf.train.latest_checkpoint(str(tmp_path))
    assert latest == checkpoints.path(10)
    assert any(name.startswith("x/") for name, _ in tf.train.list_variables(latest))


def test_going_back_restores_that_step_and_a_save_drops_the_later_ones(tmp_path):
    x, checkpoints = make(tmp_path)
    for step in 5, 10, 15:
        x.assign(step)
        checkpoints.save(step)
    assert checkpoints.restore(5) == 5
    assert float(x) == 5
    assert checkpoints.steps() == [5, 10, 15]
    checkpoints.save(7)
    assert checkpoints.steps() == [5, 7]


def test_missing_step_names_those_there(tmp_path):
    _, checkpoints = make(tmp_path)
    checkpoints.save(5)
    with pytest.raises(UserError, match=r"--step 6: .*there: 5"):
        checkpoints.restore(6)


def test_objects_of_another_shape_are_refused(tmp_path):
    _, checkpoints = make(tmp_path)
    checkpoints.save(5)
    checkpoints.lock.close()
    other = Checkpoints(str(tmp_path), 3, x=tf.Variable([1.0, 2.0]))
    with pytest.raises(
        UserError, match=r"no checkpoint in it can be restored(.|\n)*DCGAN.model-5: of another network or version"
    ):
        other.restore()


def spoil(path, how):
    """Cut a file in half, flip one bit in its middle, empty it, or remove it."""
    with open(path, "rb") as file:
        content = bytearray(file.read())
    if how == "gone":
        os.remove(path)
        return
    if how == "flipped":
        content[len(content) // 2] ^= 8
    with open(path, "wb") as file:
        file.write(content[: {"cut": len(content) // 2, "flipped": None, "empty": 0}[how]])


@pytest.mark.parametrize("part", [".index", ".data-00000-of-00001"])
@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "gone"])
def test_damaged_checkpoint_is_named_and_the_one_before_it_restored(tmp_path, capsys, part, how):
    x, checkpoints = make(tmp_path, np.arange(100.0))
    checkpoints.save(5)
    x.assign(x + 1)
    checkpoints.save(10)
    spoil(checkpoints.path(10) + part, how)
    assert checkpoints.restore() == 5
    np.testing.assert_array_equal(x, np.arange(100.0))
    named = f"{checkpoints.path(10)}: damaged, it can't be restored" in capsys.readouterr().out
    assert named or (how, part) == ("gone", ".index")  # which is no checkpoint at all
    checkpoints.save(10)
    assert checkpoints.restore() == 10
    assert checkpoints.steps() == [5, 10]


def test_damaged_checkpoint_is_refused_where_it_was_asked_for_or_none_is_whole(tmp_path):
    _, checkpoints = make(tmp_path, np.arange(100.0))
    for step in 5, 10:
        checkpoints.save(step)
    spoil(checkpoints.path(10) + ".data-00000-of-00001", "flipped")
    with pytest.raises(UserError, match=r"DCGAN\.model-10: damaged"):
        checkpoints.restore(10)
    spoil(checkpoints.path(5) + ".index", "cut")
    with pytest.raises(UserError, match=r"no checkpoint in it can be restored(.|\n)*model-10(.|\n)*model-5"):
        checkpoints.restore()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A checkpoint of a few variables, and the bytes of its files."""
    x, checkpoints = make(tmp_path_factory.mktemp("whole"), np.arange(300.0))
    checkpoints.save(5)
    files = {}
    for path in glob.glob(checkpoints.path(5) + ".*"):
        with open(path, "rb") as file:
            files[path] = file.read()
    return x, checkpoints, files


@given(data=strategies.data())
def test_no_flipped_bit_and_no_cut_changes_a_value_unseen(whole, data):
    x, checkpoints, files = whole
    path, content = data.draw(strategies.sampled_from(sorted(files.items())))
    spoiled = bytearray(content)
    if data.draw(strategies.booleans(), "cut"):
        spoiled = spoiled[: data.draw(strategies.integers(0, len(content) - 1), "length")]
    else:
        bit = data.draw(strategies.integers(0, 8 * len(content) - 1), "bit")
        spoiled[bit // 8] ^= 1 << bit % 8
    with open(path, "wb") as file:
        file.write(spoiled)
    x.assign(tf.zeros_like(x))
    try:
        checkpoints.restore(5)
    except UserError:
        pass
    else:
        np.testing.assert_array_equal(x, np.arange(300.0))
    finally:
        with open(path, "wb") as file:
            file.write(content)


def test_a_model_is_not_loaded_from_a_damaged_checkpoint(tiny):
    config = tiny(checkpoint_every=3)
    loop.train(config)
    spoil(os.path.join(config.checkpoint_dir, "DCGAN.model-6.data-00000-of-00001"), "flipped")
    with pytest.raises(UserError, match=r"DCGAN\.model-6: damaged.*; the one before it is of step 3"):
        load_model(config.checkpoint_dir)
    assert load_model(config.checkpoint_dir, 3)[1] == 3


def test_damaged_checkpoint_does_not_count_as_one_to_keep(tmp_path):
    x, checkpoints = make(tmp_path, np.arange(100.0), max_to_keep=2)
    for step in 5, 10:
        checkpoints.save(step)
    spoil(checkpoints.path(10) + ".data-00000-of-00001", "flipped")
    assert checkpoints.restore() == 5
    checkpoints.save(12)
    assert checkpoints.steps() == [5, 12]


def test_lock_that_is_a_link_is_refused_and_what_it_leads_to_untouched(tmp_path):
    (tmp_path / "c").mkdir()
    (tmp_path / "precious").write_text("precious")
    os.symlink(tmp_path / "precious", tmp_path / "c" / ".lock")
    with pytest.raises(UserError, match=r"\.lock: can't be locked .*; remove it"):
        make(tmp_path / "c")
    assert (tmp_path / "precious").read_text() == "precious"


def test_data_of_others_is_not_taken_for_a_scrap(tmp_path):
    (tmp_path / "DCGAN.model-7.data-00000-of-00001").touch()
    make(tmp_path)
    assert (tmp_path / "DCGAN.model-7.data-00000-of-00001").exists()


def test_saving_a_step_again_does_not_touch_it(tmp_path):
    x, checkpoints = make(tmp_path, 1.0)
    checkpoints.save(5)
    x.assign(2.0)
    checkpoints.save(5)
    checkpoints.restore()
    assert float(x) == 1


@pytest.mark.parametrize("content", ["[]", "3", '{"image_size": 64}', '{"image_size": "64"}', "[" * 100_000, "\0"])
def test_settings_that_are_none_are_refused(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(UserError, match=r"settings.json: .*; restore it or use another folder"):
        files.read_settings(str(tmp_path))


def test_scraps_of_a_dead_save_are_cleared(tmp_path):
    (tmp_path / ".saving").mkdir()
    (tmp_path / ".saving" / "DCGAN.model.data-00000-of-00001").touch()
    scraps = "DCGAN.model-7.data-00000-of-00001", "settings.json.partial", "checkpoint.partial"
    for name in *scraps, "settings.json", "mine.partial":
        (tmp_path / name).touch()
    _, checkpoints = make(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "mine.partial", "settings.json"]
    checkpoints.save(1)
    assert checkpoints.steps() == [1]
    checkpoints.lock.close()
    before = sorted(os.listdir(tmp_path))
    make(tmp_path)
    assert sorted(os.listdir(tmp_path)) == before


def test_data_without_its_index_is_no_checkpoint(tmp_path):
    _, checkpoints = make(tmp_path)
    checkpoints.save(1)
    os.remove(checkpoints.path(1) + ".index")
    assert checkpoints.steps() == []


def test_second_holder_is_refused_and_a_dead_one_does_not_block(tmp_path):
    hold = f"import sys; sys.path.insert(0, {ROOT!r}); import time; from runs.checkpoints import Checkpoints; "
    hold += f"c = Checkpoints({str(tmp_path)!r}, 3); print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"process {process.pid} on .* is training there"):
            make(tmp_path)
    finally:
        process.kill()
        process.wait()
    make(tmp_path)


def test_settings_read_back_and_broken_ones_are_named(tmp_path):
    assert files.read_settings(str(tmp_path)) is None
    settings = dict(image_size=64, z_dim=100, gf_dim=8, df_dim=8, c_dim=3, dataset="ü")
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert files.read_settings(str(tmp_path)) == settings
    for wrong in (dict(precision="float8"), dict(z_dim="100"), dict(gf_dim=[8, "8"]), dict(ema=[])):
        (tmp_path / "settings.json").write_text(json.dumps(settings | wrong))
        with pytest.raises(UserError, match=r"settings\.json: "):
            files.read_settings(str(tmp_path))
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(UserError, match=r"settings.json: not readable as JSON"):
        files.read_settings(str(tmp_path))
