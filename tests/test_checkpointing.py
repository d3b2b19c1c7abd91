import os
import subprocess
import sys

import pytest
import tensorflow as tf
from conftest import ROOT

import checkpointing
from errors import UserError


def make(folder, value=0.0, max_to_keep=3):
    x = tf.Variable(value)
    return x, checkpointing.Checkpoints(str(folder), max_to_keep, x=x)


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
    other = checkpointing.Checkpoints(str(tmp_path), 3, x=tf.Variable([1.0, 2.0]))
    with pytest.raises(UserError, match=r"DCGAN.model-5: does not restore"):
        other.restore()


def test_scraps_of_a_dead_save_are_cleared(tmp_path):
    (tmp_path / ".saving").mkdir()
    (tmp_path / ".saving" / "DCGAN.model.data-00000-of-00001").touch()
    _, checkpoints = make(tmp_path)
    assert not (tmp_path / ".saving").exists()
    checkpoints.save(1)
    assert checkpoints.steps() == [1]


def test_data_without_its_index_is_no_checkpoint(tmp_path):
    _, checkpoints = make(tmp_path)
    checkpoints.save(1)
    os.remove(checkpoints.path(1) + ".index")
    assert checkpoints.steps() == []


def test_second_holder_is_refused_and_a_dead_one_does_not_block(tmp_path):
    hold = f"import sys; sys.path.insert(0, {ROOT!r}); import checkpointing, time; "
    hold += f"c = checkpointing.Checkpoints({str(tmp_path)!r}, 3); print('held', flush=True); time.sleep(60)"
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
    assert checkpointing.read_settings(str(tmp_path)) is None
    checkpointing.write_settings(str(tmp_path), {"epoch": 3, "dataset": "ü"})
    assert checkpointing.read_settings(str(tmp_path)) == {"epoch": 3, "dataset": "ü"}
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(UserError, match=r"settings.json: not readable as JSON"):
        checkpointing.read_settings(str(tmp_path))
