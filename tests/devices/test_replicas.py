"""Several devices and several machines: logical CPU devices, and processes on the loopback interface."""

import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from conftest import FIXTURES, ROOT, TINY, run_script
from test_model import NOISY

from devices.replicas import Replicas
from runs.files import latest_steps

HERE = os.path.dirname(os.path.abspath(__file__))
# Behind a noisy bias, a moving mean is off by as much as it
NOISY_TOO = {"generator/g_bn1", "generator/g_bn2", "generator/g_bn3"} | {f"discriminator/d_bn{i}" for i in (1, 2, 3)}


@pytest.fixture(scope="module")
def three_steps(tmp_path_factory):
    """three_steps(number): losses and weights of the TF1 graph's three batches on so many devices."""

    @functools.cache
    def run(number):
        path = tmp_path_factory.mktemp("replicas") / "steps.npz"
        command = [sys.executable, os.path.join(HERE, "train_replicas.py"), str(number), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        return np.load(path)

    return run


@pytest.mark.parametrize("number", [2, pytest.param(4, marks=pytest.mark.soak)])
def test_devices_give_the_losses_and_weights_of_one(three_steps, number):
    one, several = three_steps(1), three_steps(number)
    tf1 = np.load(os.path.join(FIXTURES, "tf1_parity.npz"))
    assert several["replicas"] == number
    for name, expected in one.items():
        variable = re.sub("^final/(ema/|d/)?", "", name)
        if not name.startswith("final/"):
            if name == "normalised":
                np.testing.assert_allclose(several[name], expected, rtol=1e-2, atol=1e-2)
            elif name != "replicas":  # losses, D(x) and D(G(z)), z
                np.testing.assert_allclose(several[name], expected, rtol=1e-5, atol=1e-6, err_msg=name)
        elif variable.endswith("moving_mean") and variable.split("/moving")[0] in NOISY_TOO:
            np.testing.assert_allclose(several[name], expected, atol=1e-3, err_msg=name)
        elif variable not in NOISY:
            moved = np.linalg.norm(expected - tf1[f"init/{variable}"])
            assert np.linalg.norm(several[name] - expected) < 2e-3 * moved, name


@pytest.mark.parametrize("number", [1, 2, pytest.param(4, marks=pytest.mark.soak)])
def test_any_number_of_devices_gives_the_losses_of_the_tf1_graph(three_steps, number):
    tf1 = np.load(os.path.join(FIXTURES, "tf1_parity.npz"))
    for step in range(3):
        for ours, theirs in ("d_loss_real", "d_loss_real"), ("d_loss_fake", "d_loss_fake"), ("g_loss", "g_loss_1"):
            np.testing.assert_allclose(three_steps(number)[f"{ours}/{step}"], tf1[f"{theirs}/{step}"], rtol=1e-4)


def test_one_device_needs_no_strategy():
    replicas = Replicas(5)
    assert (replicas.number, replicas.alone, replicas.is_first, replicas.local_rows) == (1, True, True, slice(0, 5))
    assert replicas.strategy is tf.distribute.get_strategy() and not tf.distribute.has_strategy()
    x = tf.constant([1.0, 2.0])
    assert replicas.gather(x) is x and replicas.to_devices(x) is x


def flags(folder, faces, **changes):
    """Arguments of a tiny run in a folder of its own."""
    settings = TINY | dict(dataset=faces, checkpoint_every=4) | changes
    settings |= {f"{kind}_dir": folder / kind for kind in ("checkpoint", "sample", "log")}
    return [f"--{name}={value}" for name, value in settings.items()]


def losses(printed):
    """{(epoch, batch): (d_loss, g_loss)} of the lines that a run printed."""
    lines = re.findall(r"Epoch: \[ *(\d+)\] \[ *(\d+)/.*d_loss: ([\d.]+), g_loss: ([\d.]+)", printed)
    return {(int(epoch), int(idx)): (float(d_loss), float(g_loss)) for epoch, idx, d_loss, g_loss in lines}


def assert_close(ours, expected, rtol=1e-3):
    """Over twelve batches, rounding grows."""
    assert ours.keys() == expected.keys() and expected
    for batch, pair in expected.items():
        np.testing.assert_allclose(ours[batch], pair, rtol=rtol, err_msg=str(batch))


@pytest.fixture(scope="module")
def one_device(faces, tmp_path_factory):
    """What one process on one device prints over two epochs."""
    done = run_script("train-dcgan.py", *flags(tmp_path_factory.mktemp("one"), faces, epoch=2))
    assert done.returncode == 0, done.stderr
    return losses(done.stdout)


def test_logical_devices_train_as_one_does_and_a_resume_may_change_their_number(faces, tmp_path, one_device):
    first = run_script("train-dcgan.py", *flags(tmp_path, faces, epoch=1, devices="CPU:0,CPU:1"))
    assert first.returncode == 0, first.stderr
    assert "training in float32 on 2 logical devices of a CPU" in first.stdout
    assert "2 replicas, each with 2 of every batch's 4 images" in first.stdout
    second = run_script("train-dcgan.py", *flags(tmp_path, faces, epoch=2))
    assert second.returncode == 0, second.stderr
    assert "--devices: CPU:0,CPU:1 before, not given now" in second.stdout
    assert_close(losses(first.stdout) | losses(second.stdout), one_device)


class Machines:
    """N processes of one command, each with its TF_CONFIG, on free ports of the loopback interface."""

    def __init__(self, folder, number, *arguments, more=lambda index: []):
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
        addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in sockets]
        for listener in sockets:
            listener.close()
        self.outputs, self.processes = [], []
        for index in range(number):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            self.outputs.append(open(folder / f"machine{index}.txt", "w+"))
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, os.path.join(ROOT, "train-dcgan.py"), *arguments, *more(index)],
                    env=os.environ | {"TF_CONFIG": json.dumps(config), "TF_CPP_MIN_LOG_LEVEL": "3"},
                    stdout=self.outputs[index],
                    stderr=subprocess.STDOUT,
                )
            )

    def printed(self, index):
        """What a process has printed so far."""
        self.outputs[index].seek(0)
        return self.outputs[index].read()

    def wait_for(self, text, index=0):
        """Wait until a process has printed it."""
        until = time.time() + 120
        while text not in self.printed(index):
            assert self.processes[index].poll() is None and time.time() < until, self.printed(index)
            time.sleep(0.05)

    def wait(self):
        """Exit codes, once all have ended."""
        return [process.wait(120) for process in self.processes]

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        for process, output in zip(self.processes, self.outputs):
            process.kill()
            process.wait()
            output.close()


def test_two_machines_train_as_one_does_and_the_chief_alone_writes(faces, tmp_path, one_device):
    with Machines(tmp_path, 2, *flags(tmp_path, faces, epoch=2)) as machines:
        assert machines.wait() == [0, 0], machines.printed(0) + machines.printed(1)
        assert_close(losses(machines.printed(0)), one_device)
        assert re.fullmatch(r".*\nmachine 2 of 2, 127.0.0.1:\d+; waiting for 127.0.0.1:\d+ .*\n", machines.printed(1))
    assert latest_steps(tmp_path / "checkpoint") == [4, 8, 12]
    assert len(os.listdir(tmp_path / "log")) == 2  # a file that supersedes, and a file of events
    assert sorted(os.listdir(tmp_path / "sample")) == ["index.html", "real.png", "train_01_0005.png"]


@pytest.mark.soak
@pytest.mark.parametrize("number, victim, after", [(3, 1, 2), (2, 0, 1)])
def test_a_machine_that_dies_ends_the_run_and_others_in_another_number_go_on(faces, tmp_path, number, victim, after):
    with Machines(tmp_path, number, *flags(tmp_path, faces, batch_size=6, epoch=1000)) as machines:
        machines.wait_for("Epoch: [ 1] [   1/")
        machines.processes[victim].kill()
        codes = machines.wait()
        assert codes[:victim] + codes[victim + 1 :] == [1] * (number - 1)
        for index in set(range(number)) - {victim}:
            message = machines.printed(index).splitlines()[-1]
            assert message.startswith("train-dcgan.py: error: another machine's part of this training has ended")
            assert "Traceback" not in machines.printed(index)
    last = latest_steps(tmp_path / "checkpoint")[-1]
    epoch = last // 4 + 1
    with Machines(tmp_path, after, *flags(tmp_path, faces, batch_size=6, epoch=epoch)) as machines:
        assert set(machines.wait()) == {0}, machines.printed(0)
        assert f"DCGAN.model-{last}: epoch {last // 4}, batch {last % 4} of 4" in machines.printed(0)
        rest = losses(machines.printed(0))
    whole = run_script("train-dcgan.py", *flags(tmp_path / "one", faces, batch_size=6, epoch=epoch))
    assert_close(rest, {batch: pair for batch, pair in losses(whole.stdout).items() if batch in rest}, rtol=1e-2)


def test_a_signal_to_one_machine_stops_all_after_saving(faces, tmp_path):
    with Machines(tmp_path, 2, *flags(tmp_path, faces, epoch=1000, checkpoint_every=10**6, log_every=3)) as machines:
        machines.wait_for("Epoch: [ 1]")
        machines.processes[1].send_signal(signal.SIGTERM)
        assert machines.wait() == [143, 143]
        step = int(re.search(r"stopped by SIGTERM after step (\d+), and saved", machines.printed(0))[1])
    assert latest_steps(tmp_path / "checkpoint") == [step]


@pytest.mark.parametrize(
    "name, values, what",
    [("learning_rate", (0.1, 0.2), "flags"), ("dataset", None, "images of --dataset")],
)
def test_machines_that_differ_are_refused(faces, tmp_path, name, values, what):
    if not values:
        (tmp_path / "faces").mkdir()
        for file in sorted(os.listdir(faces))[1:]:
            os.link(os.path.join(faces, file), tmp_path / "faces" / file)
        values = faces, tmp_path / "faces"
    with Machines(tmp_path, 2, *flags(tmp_path, faces), more=lambda index: [f"--{name}={values[index]}"]) as machines:
        codes = machines.wait()
        assert 2 in codes and 0 not in codes  # who hears of it second may have lost its peer first
        assert f"the machines differ in their {what}" in machines.printed(codes.index(2))
    assert not os.path.exists(tmp_path / "checkpoint" / "settings.json")


@pytest.mark.parametrize(
    "devices, message",
    [
        ("CPU:0,CPU:1,CPU:2", "--batch_size 4: does not divide over 3 devices; give a multiple of 3"),
        ("2", "--devices 2: no GPU here; for a trial on the processor, give CPU:0,CPU:1"),
        ("GPU:7", "--devices GPU:7: there is no GPU:7 here"),
        ("0", "--devices 0: must be a number, or names such as GPU:0,GPU:2 or CPU:0,CPU:1"),
        ("CPU:0,CPU:0", "--devices CPU:0,CPU:0: must be a number"),
        ("CPU:0,GPU:0", "--devices CPU:0,GPU:0: must be a number"),
    ],
)
@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="messages of a machine without a GPU")
def test_devices_that_are_not_there_or_do_not_fit_are_refused(faces, tmp_path, devices, message):
    done = run_script("train-dcgan.py", *flags(tmp_path, faces, devices=devices))
    assert done.returncode == 2 and message in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_port_that_is_taken_is_told(faces, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        addresses = [f"127.0.0.1:{taken.getsockname()[1]}"]
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": 0}}
        environment = os.environ | {"TF_CONFIG": json.dumps(config)}
        done = run_script("train-dcgan.py", *flags(tmp_path, faces), env=environment)
    assert done.returncode == 2
    assert f"TF_CONFIG: {addresses[0]} can't be used" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_tf_config_that_makes_no_sense_is_refused(monkeypatch, config):
    from devices import machines
    from errors import UserError

    with pytest.raises(UserError, match=r"TF_CONFIG .*: must look like .*; unset it to train on one machine"):
        machines.read_cluster(config)


def test_the_line_in_the_docs_makes_tf_config_of_a_slurm_job(tmp_path):
    with open(os.path.join(ROOT, "docs", "devices.md"), encoding="utf-8") as file:
        line = re.search(r"^    (export TF_CONFIG=\$.*)$", file.read(), re.MULTILINE)[1]
    (tmp_path / "scontrol").write_text('#!/bin/sh\n[ "$*" = "show hostnames n[1-2]" ] && printf "n1\\nn2\\n"\n')
    (tmp_path / "scontrol").chmod(0o755)
    path = f"{tmp_path}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    environment = dict(PATH=path, SLURM_JOB_NODELIST="n[1-2]", SLURM_NODEID="1")
    done = subprocess.run(
        ["bash", "-c", f'{line}; printf %s "$TF_CONFIG"'], env=environment, capture_output=True, text=True, check=True
    )
    expected = {"cluster": {"worker": ["n1:2222", "n2:2222"]}, "task": {"type": "worker", "index": 1}}
    assert json.loads(done.stdout) == expected
