"""Signals, pipes that end, streams that are closed: a run that is resumed is the run that nobody disturbed."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, as_flags, face_photo, run_script

from runs.files import latest_steps

TRAIN = os.path.join(ROOT, "train-dcgan.py")
COMPLETE = os.path.join(ROOT, "complete.py")
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
# What reads standard output and error, the descriptors that are closed from the start, and the signal
WAYS = {
    "tee": (["tee", os.devnull], (), signal.SIGINT),
    "hangup": (["cat"], (), signal.SIGHUP),
    "closed stdout": (None, (1,), signal.SIGTERM),
    "closed stderr": (["head", "-3"], (2,), signal.SIGINT),
    "nothing": (None, (0, 1, 2), signal.SIGHUP),
}


def start(command, reader, closed):
    """Start a command, and what reads its output (or None)."""

    def heed():  # signals that whoever started the tests ignores, as nohup does
        for number in CODES:
            signal.signal(number, signal.SIG_DFL)

    def prepare():
        heed()
        for descriptor in closed:
            os.close(descriptor)

    out = subprocess.PIPE if reader else subprocess.DEVNULL
    process = subprocess.Popen(
        [sys.executable, *map(str, command)], stdout=out, stderr=subprocess.STDOUT, preexec_fn=prepare
    )
    if reader is None:
        return process, None
    pipe = subprocess.Popen(reader, stdin=process.stdout, stdout=subprocess.DEVNULL, preexec_fn=heed)
    process.stdout.close()
    return process, pipe


def end(process, pipe, number):
    """Signal both, the reader first, as a terminal does -> the exit code."""
    if pipe:
        pipe.send_signal(number)
        pipe.wait()
    process.send_signal(number)
    return process.wait(60)


def tensors(config):
    """All tensors of a run's newest checkpoint."""
    step = latest_steps(config.checkpoint_dir)[-1]
    reader = tf.train.load_checkpoint(os.path.join(config.checkpoint_dir, f"DCGAN.model-{step}"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def disturbed(tiny, tmp_path, ways, draw, epochs):
    """Interrupt a run at random moments, in these ways, and resume it -> how many batches each part trained."""
    config = tiny(epoch=epochs, deterministic=True, checkpoint_every=10**6, max_to_keep=50, sample_every=10**6)
    command, parts = [TRAIN, *as_flags(config)], []
    for way in ways:
        reader, closed, number = WAYS[way]
        before = latest_steps(config.checkpoint_dir)[-1] if parts else 0
        process, pipe = start(command, reader, closed)
        while not os.path.exists(os.path.join(config.checkpoint_dir, "settings.json")):
            time.sleep(0.05)
        began = events(config)
        while events(config) == began:  # until the first batches are logged
            time.sleep(0.05)
            assert process.poll() is None, way
        time.sleep(draw.uniform(0, 0.5))
        assert end(process, pipe, number) == CODES[number], way
        parts.append(latest_steps(config.checkpoint_dir)[-1] - before)
    done = run_script("train-dcgan.py", *as_flags(config))
    assert done.returncode == 0, done.stderr
    return config, parts


def events(config):
    """The bytes of TensorBoard's logs, which grow while batches are trained."""
    names = os.listdir(config.log_dir) if os.path.isdir(config.log_dir) else []
    return sum(os.path.getsize(os.path.join(config.log_dir, name)) for name in names) // 20_000


def compare(tiny, tmp_path, ways, seed, epochs):
    config, parts = disturbed(tiny, tmp_path, ways, random.Random(seed), epochs)
    assert all(part > 0 for part in parts)
    folders = {name: str(tmp_path / f"whole-{name}") for name in ("checkpoint_dir", "sample_dir", "log_dir")}
    whole = tiny(epoch=epochs, deterministic=True, checkpoint_every=10**6, sample_every=10**6, **folders)
    assert run_script("train-dcgan.py", *as_flags(whole)).returncode == 0
    expected, got = tensors(whole), tensors(config)
    assert expected.keys() == got.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_ctrl_c_in_a_pipe_saves_and_a_resume_gives_the_same_bits(tiny, tmp_path):
    compare(tiny, tmp_path, ["tee"], seed=0, epochs=20)


@pytest.mark.soak
def test_ten_interruptions_change_no_bit(tiny, tmp_path):
    compare(tiny, tmp_path, [*WAYS] * 2, seed=1, epochs=150)


def test_a_completion_whose_reader_is_gone_writes_all_photos(trained, tmp_path):
    paths = [str(tmp_path / f"{i}.png") for i in range(3)]
    for path in paths:
        face_photo(side=64).save(path)
    command = [COMPLETE, "--checkpoint_dir", trained, "--nIter", 4, "--outDir", tmp_path / "out", *paths]
    process, pipe = start(command, ["head", "-0"], ())
    assert process.wait(120) == 0 and pipe.wait() == 0
    assert {f"photo_{i}.png" for i in range(3)} <= set(os.listdir(tmp_path / "out" / "completed"))


def test_an_interrupted_alignment_in_a_pipe_goes_on(tmp_path):
    (tmp_path / "raw").mkdir()
    for i in range(300):  # more than are aligned until the signal comes
        if i < 6:
            face_photo(i).save(tmp_path / "raw" / f"{i}.png")
        else:
            os.link(tmp_path / "raw" / f"{i % 6}.png", tmp_path / "raw" / f"{i}.png")
    command = [os.path.join(ROOT, "align_faces.py"), tmp_path / "raw", tmp_path / "out", "--workers", 1]
    process, pipe = start(command, ["tee", os.devnull], ())
    while not (tmp_path / "out").exists() or not any(name.endswith(".png") for name in os.listdir(tmp_path / "out")):
        time.sleep(0.05)
    assert end(process, pipe, signal.SIGHUP) == 129
    assert not [name for name in os.listdir(tmp_path / "out") if name.endswith(".partial")]
    again = run_script("align_faces.py", tmp_path / "raw", tmp_path / "out")
    assert again.returncode == 0 and "300 faces" in again.stdout


def test_a_hangup_that_is_ignored_stays_ignored(tiny):
    config = tiny(epoch=200)
    process = subprocess.Popen(
        [sys.executable, TRAIN, *as_flags(config)], stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    for line in process.stdout:
        if line.startswith("Epoch: [ 1]"):
            process.send_signal(signal.SIGHUP)
        if line.startswith("Epoch: [ 9]"):
            process.send_signal(signal.SIGTERM)
            break
    else:
        pytest.fail("it ended")
    process.stdout.read()
    assert process.wait() == 143
