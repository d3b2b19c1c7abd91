"""Faults injected for real into train-dcgan.py: kills, full disks, folders that can't be written to.

The few here take seconds; the long ones, marked soak, run with `make soak`.
"""

import contextlib
import ctypes
import glob
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import tensorflow as tf
from conftest import ROOT, as_flags, run_script

from photos import demo
from runs.files import latest_steps
from training import loop
from training.settings import TrainSettings

SCRIPT = os.path.join(ROOT, "train-dcgan.py")
KILL_AT = os.path.join(ROOT, "tests", "kill_at.py")


def config_in(folder, faces, **changes):
    """A tiny deterministic run that logs, samples and saves every few batches."""
    folders = {f"{kind}_dir": str(folder / kind) for kind in ("checkpoint", "sample", "log")}
    settings = dict(image_size=16, z_dim=8, gf_dim=4, df_dim=4, batch_size=4, flip=True, deterministic=True)
    settings |= dict(log_every=1, sample_every=2, checkpoint_every=3)
    return TrainSettings(dataset=faces, **settings | folders | changes)


def finish(config):
    """Run to the end."""
    done = run_script("train-dcgan.py", *as_flags(config))
    assert done.returncode == 0, done.stderr
    return done.stdout


def kill(config, batches, seconds):
    """Start the run, and kill it so many seconds after it has logged so many batches (0: after its start)."""
    command = [sys.executable, SCRIPT, *as_flags(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        printed = ""
        while printed.count("Epoch: [") < batches:
            line = process.stdout.readline()
            printed += line
            assert line, printed  # it ended by itself
        time.sleep(seconds)
        process.kill()
    assert process.returncode == -signal.SIGKILL, printed


def kill_at_random_moments(config, kills, total, start_up, batch):
    """Kill the run so many times. None trains so long that all together could come to the end of `total` batches.

    One in four dies within start_up seconds, the others within the time of a batch after a random number of them.
    """
    rng = random.Random(0)
    for _ in range(kills):
        if rng.random() < 0.25:
            kill(config, 0, rng.uniform(0, start_up))
        else:
            kill(config, rng.randrange(1, total // (kills + 1) - 1), rng.uniform(0, 2 * batch))
    assert total not in latest_steps(config.checkpoint_dir)


def contents(config):
    """All that must be equal: tensors of the last checkpoint by name, and bytes of the pictures."""
    prefix = os.path.join(config.checkpoint_dir, f"DCGAN.model-{latest_steps(config.checkpoint_dir)[-1]}")
    reader = tf.train.load_checkpoint(prefix)
    names = [name for name in reader.get_variable_to_shape_map() if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    pictures = {}
    for path in glob.glob(os.path.join(config.sample_dir, "*")):
        with open(path, "rb") as file:
            pictures[os.path.basename(path)] = file.read()
    return {name: reader.get_tensor(name) for name in names}, pictures


def assert_same(config, reference):
    """Assert that two finished runs left the same, bit for bit, and no scraps."""
    (weights, pictures), (expected, expected_pictures) = contents(config), contents(reference)
    assert weights.keys() == expected.keys() and len(weights) > 60
    for name, value in expected.items():
        np.testing.assert_array_equal(weights[name], value, err_msg=name)
    assert pictures == expected_pictures
    assert sorted(os.listdir(config.checkpoint_dir)) == sorted(os.listdir(reference.checkpoint_dir))


@pytest.mark.parametrize("kills", [pytest.param(n, marks=pytest.mark.soak) for n in (2, 12)])
def test_killed_at_random_moments_it_ends_as_if_never_killed(faces, tmp_path, kills):
    epoch = 4 * (kills + 1)
    reference = config_in(tmp_path / "whole", faces, epoch=epoch)
    finish(reference)
    config = config_in(tmp_path / "killed", faces, epoch=epoch)
    kill_at_random_moments(config, kills, 6 * epoch, start_up=3, batch=0.05)
    assert "resuming from" in finish(config)
    assert_same(config, reference)


@pytest.mark.parametrize("moments", [[9, 17, 24], pytest.param(range(1, 60, 4), marks=pytest.mark.soak)])
def test_killed_before_each_change_to_a_file_it_ends_as_if_never_killed(faces, tmp_path, moments):
    """A run that dies just before its n-th change, for each n, always going on with what the last one left."""
    epoch = 1 + len(moments)
    reference = config_in(tmp_path / "whole", faces, epoch=epoch, max_to_keep=2)
    finish(reference)
    config = config_in(tmp_path / "killed", faces, epoch=epoch, max_to_keep=2)
    for moment in moments:
        command = [sys.executable, KILL_AT, str(moment), str(tmp_path / "killed"), *as_flags(config)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, (moment, done.stdout[-500:], done.stderr)
    assert 6 * epoch not in latest_steps(config.checkpoint_dir)
    finish(config)
    assert_same(config, reference)


@pytest.mark.soak
def test_full_width_run_killed_at_random_moments_ends_as_if_never_killed(faces, tmp_path):
    """At full width sums are split over threads, and rounding would show."""
    full = dict(image_size=64, z_dim=100, gf_dim=64, df_dim=64, batch_size=6, epoch=6, checkpoint_every=2)
    reference = config_in(tmp_path / "whole", faces, **full)
    finish(reference)
    config = config_in(tmp_path / "killed", faces, **full)
    kill_at_random_moments(config, kills=4, total=24, start_up=4, batch=0.5)
    while not latest_steps(config.checkpoint_dir):  # a busy machine had not come that far
        kill_at_random_moments(config, kills=1, total=24, start_up=8, batch=2)
    assert "resuming from" in finish(config)
    assert_same(config, reference)


def limit_file_size(size):
    """For a child process: no file grows beyond it, as on a disk that is full."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_save_that_no_longer_fits_leaves_the_checkpoint_before_it_usable(faces, tmp_path):
    config = config_in(tmp_path, faces, epoch=1, log_every=50, sample_every=50)
    loop.train(config)
    before = contents(config)[0]
    wider = [*as_flags(config_in(tmp_path, faces, epoch=2, log_every=50, sample_every=50))]
    done = run_script("train-dcgan.py", *wider, preexec_fn=limit_file_size(30_000))
    assert done.returncode == 1
    assert "DCGAN.model-9: can't be written (" in done.stderr
    assert "DCGAN.model-6; free some space, and the same command continues from there" in done.stderr
    assert "Traceback" not in done.stderr
    assert latest_steps(config.checkpoint_dir) == [3, 6]
    after = contents(config)[0]
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
    assert "resuming from" in finish(config_in(tmp_path, faces, epoch=2))


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    """A file system of so many kilobytes, where this user may mount one."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    "kilobytes", [pytest.param(size, marks=pytest.mark.soak) for size in (440, *range(70, 730, 120))]
)
def test_full_disk_ends_the_run_in_words_and_it_goes_on_when_there_is_room(faces, tmp_path, kilobytes):
    """The disk fills up at a moment that depends on its size: in a picture, a log, or a checkpoint."""
    disk = tmp_path / "disk"
    with small_disk(disk, kilobytes):
        config = config_in(disk, faces, epoch=6)
        done = run_script("train-dcgan.py", *as_flags(config))
        assert done.returncode == 1, done.stdout
        assert "no space left on device" in done.stderr and "Traceback" not in done.stderr
        assert not os.path.exists(os.path.join(config.checkpoint_dir, ".saving"))
        roomy = shutil.copytree(disk, tmp_path / "roomy")
    reference = config_in(tmp_path / "whole", faces, epoch=6)
    finish(reference)
    config = config_in(roomy, faces, epoch=6)
    finish(config)
    assert_same(config, reference)


def drop_privileges():
    """For a child process: root no longer overrides permissions."""
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability)


@pytest.mark.skipif(sys.platform != "linux", reason="permissions are dropped by a Linux call")
@pytest.mark.parametrize(
    "name", ["checkpoint_dir", *(pytest.param(name, marks=pytest.mark.soak) for name in ("sample_dir", "log_dir"))]
)
def test_folder_that_may_not_be_written_to_is_refused_before_training(faces, tmp_path, name):
    config = config_in(tmp_path, faces)
    os.makedirs(getattr(config, name))
    os.chmod(getattr(config, name), 0o500)
    done = run_script("train-dcgan.py", *as_flags(config), preexec_fn=drop_privileges)
    assert done.returncode == 2
    assert f"--{name} {getattr(config, name)}: can't be written to (permission denied)" in done.stderr
    assert "Epoch" not in done.stdout


@pytest.mark.soak
def test_folders_of_any_name_work_and_nothing_else_is_written(faces, tmp_path):
    name = "ünï 顔  *?{a,b} 'quote\" $HOME "
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir(), home.mkdir()
    data = shutil.copytree(faces, here / name / "data")
    flags = ["--dataset", str(data), "--image_size=16", "--gf_dim=4", "--df_dim=4", "--batch_size=4"]
    for kind in "checkpoint", "sample", "log":
        flags.append(f"--{kind}_dir={os.path.join(name, kind)}")  # relative
    environment = os.environ | {"HOME": str(home)}
    for epoch in 1, 2:
        done = run_script("train-dcgan.py", *flags, "--epoch", epoch, cwd=here, env=environment)
        assert done.returncode == 0, done.stderr
    assert "resuming from" in done.stdout
    assert sorted(os.listdir(here / name)) == ["checkpoint", "data", "log", "sample"]
    assert os.listdir(here) == [name] and os.listdir(home) == []
    assert sorted(os.listdir(data)) == sorted(os.listdir(faces))
    grid = here / "grid.png"
    done = run_script("generate.py", "--checkpoint_dir", os.path.join(name, "checkpoint"), "--grid", grid, cwd=here)
    assert done.returncode == 0, done.stderr


@pytest.mark.soak
@pytest.mark.parametrize("cache", ["auto", "off"])
def test_memory_stays_flat(tmp_path, cache):
    """Three epochs over 2,500 images: resident size after the last within 5 % of that after the first."""
    demo.write_faces(tmp_path / "faces", 2500)
    config = config_in(
        tmp_path, str(tmp_path / "faces"), image_size=64, batch_size=32, epoch=3, cache=cache,
        log_every=1, sample_every=20, checkpoint_every=40,
    )  # fmt: skip
    command = [sys.executable, SCRIPT, *as_flags(config)]
    sizes = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith(("Epoch: [ 1] [   0/", "Epoch: [ 2] [  77/")):
                sizes[line[:11]] = psutil.Process(process.pid).memory_info().rss
    assert process.returncode == 0
    first, last = sizes.values()
    print(f"cache {cache}: {first / 1e6:.0f} MB after the first epoch, {last / 1e6:.0f} MB after the last")
    assert last < 1.05 * first
