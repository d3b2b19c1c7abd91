"""train-dcgan.py as a person runs it: a process of its own."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest
from conftest import ROOT, as_flags, run_script

from runs.files import latest_steps

SCRIPT = os.path.join(ROOT, "train-dcgan.py")


def start(config, **more):
    return subprocess.Popen(
        [sys.executable, SCRIPT, *as_flags(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **more,
    )


def test_articles_command_trains_from_another_folder(faces, tmp_path):
    flags = "--epoch 1 --image_size 16 --gf_dim 4 --df_dim 4 --batch_size 8".split()
    command = [SCRIPT, "--dataset", faces, *flags]
    environment = os.environ | {"PATH": os.path.dirname(sys.executable) + ":" + os.environ["PATH"]}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # nothing of TensorFlow's start-up noise
    assert sorted(os.listdir(tmp_path)) == ["checkpoints", "logs", "samples"]
    assert done.stdout.splitlines()[-2:] == [
        "the last samples: samples/train_00_0002.png; all of them: samples/index.html",
        "losses: tensorboard --logdir logs --samples_per_plugin images=200",
    ]


@pytest.mark.parametrize(
    "number, code", [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.soak)]
)
def test_interruption_saves_and_the_same_command_goes_on(tiny, number, code):
    config = tiny(epoch=1000)
    process = start(config)
    for line in process.stdout:
        if line.startswith("Epoch: [ 1]"):
            process.send_signal(number)
            break
    rest = process.stdout.read()
    assert process.wait() == code
    assert "finishing this batch, then saving" in rest
    assert f"stopped by {number.name}" in rest and "The same command continues from here." in rest
    again = start(config)
    for line in again.stdout:
        if line.startswith("resuming from"):
            break
    else:
        pytest.fail("did not resume")
    again.kill()
    again.wait()


def test_killed_run_resumes_from_its_last_checkpoint(tiny):
    config = tiny(epoch=1000, checkpoint_every=3)
    process = start(config)
    for line in process.stdout:
        if line.startswith("Epoch: [ 2]"):
            process.kill()
            break
    process.wait()
    last = latest_steps(config.checkpoint_dir)[-1]
    again = start(config)
    for line in again.stdout:
        if line.startswith("resuming from"):
            assert f"DCGAN.model-{last}: epoch {last // 6}, batch {last % 6} of 6" in line
            break
    else:
        pytest.fail("did not resume")
    again.kill()
    again.wait()


def test_second_training_in_the_same_folder_is_refused(tiny):
    config = tiny(epoch=1000)
    process = start(config)
    for line in process.stdout:
        if line.startswith("Epoch:"):
            break
    second = run_script("train-dcgan.py", *as_flags(config))
    process.kill()
    process.wait()
    assert second.returncode == 2
    assert f"process {process.pid} on" in second.stderr and "is training there" in second.stderr


def test_terminal_shows_a_bar_with_losses(tiny):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 110, 0, 0))  # 110 columns
    process = subprocess.Popen(
        [sys.executable, SCRIPT, *as_flags(tiny(epoch=3))], stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the terminal is gone: it ended
        pass
    assert process.wait() == 0
    shown = shown.decode()
    assert "Epoch [2/3]" in shown and "100%|" in shown and "images/s" in shown and "d_loss" in shown
    assert "Epoch: [" not in shown


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--dataset", "nowhere"], "--dataset nowhere: no such folder or file"),
        (["--dataset", ".", "--epoch", "0"], "--epoch 0: must be a whole number of at least 1"),
        (["--epoch", "3"], "the following arguments are required: --dataset; --help shows how it is used"),
    ],
)
def test_bad_usage_is_refused_without_a_traceback(tmp_path, arguments, message):
    done = run_script("train-dcgan.py", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"train-dcgan.py: error: {message}"
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == []


def test_debug_shows_the_traceback(tmp_path):
    done = run_script("train-dcgan.py", "--dataset", "nowhere", "--debug", cwd=tmp_path)
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_help_is_quick_and_names_every_flag():
    began = time.time()
    done = run_script("train-dcgan.py", "--help")
    assert done.returncode == 0
    assert time.time() - began < 1.5  # TensorFlow alone takes longer to import
    for flag in "--dataset --epoch --crop --flip --d_learning_rate --deterministic --step --max_to_keep".split():
        assert flag in done.stdout


def test_without_packages_one_line_says_how_to_get_them(tmp_path):
    done = subprocess.run(
        [sys.executable, "-S", "-E", SCRIPT, "--dataset", str(tmp_path)],  # -S: no site-packages
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "the package psutil is not installed here; type: " in done.stderr  # the first that is needed


@pytest.mark.parametrize("version", [(3, 9), (3, 14), (2, 7)])
def test_other_pythons_are_refused_in_one_line(version):
    code = f"import sys; sys.version_info = {version}; sys.argv = ['train-dcgan.py']; from cli import program"
    code += "; program.check_python()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"train-dcgan.py: needs Python 3.10 to 3.13, and this is {version[0]}.{version[1]}\n"


def test_training_imports_neither_dlib_nor_opencv_nor_keras(faces, tmp_path):
    code = (
        "import sys; sys.modules['dlib'] = sys.modules['cv2'] = None; "
        "from devices import start; start.set_up(); from training import loop; "
        "from training.settings import TrainSettings; "
        f"loop.train(TrainSettings(dataset={faces!r}, image_size=16, gf_dim=4, df_dim=4, batch_size=26, epoch=1)); "
        "print(*{'keras', 'pandas', 'matplotlib'} & sys.modules.keys())"
    )
    environment = os.environ | {"PYTHONPATH": ROOT}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == ""


@pytest.mark.slow
@pytest.mark.soak
def test_deterministic_run_at_full_width_resumes_bit_for_bit(faces, tmp_path):
    """Two batches, then two more in a new process, against four in one go (wide enough to differ)."""
    import numpy as np
    import tensorflow as tf

    def train(name, epoch):
        folders = [f"--{kind}_dir={tmp_path / name / kind}" for kind in ("checkpoint", "sample", "log")]
        done = run_script(
            "train-dcgan.py", "--dataset", faces, "--batch_size", 13, "--epoch", epoch, "--deterministic", *folders
        )
        assert done.returncode == 0, done.stderr

    train("whole", 2)
    train("parts", 1)
    train("parts", 2)
    whole, parts = (tf.train.load_checkpoint(str(tmp_path / name / "checkpoint")) for name in ("whole", "parts"))
    for name in whole.get_variable_to_shape_map():
        if name != "_CHECKPOINTABLE_OBJECT_GRAPH":
            np.testing.assert_array_equal(whole.get_tensor(name), parts.get_tensor(name), err_msg=name)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--epochs", "3"], "--epochs: type --epoch"),
        (["--is_train"], "--is_train: leave it out; this program trains"),
        (["--is_crop", "True", "--input_height", "108"], "--is_crop: leave it out; images are always cropped"),
        (["--sample_size", "64"], "--sample_size: leave it out; a sample grid always has 64 images"),
        (["--sample_evry=7"], "--sample_evry=7: no such flag; did you mean --sample_every?"),
        (["more"], "more: no such argument"),
    ],
)
def test_what_people_type_is_understood_in_one_line(tmp_path, arguments, message):
    done = run_script("train-dcgan.py", "--dataset", "d", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"train-dcgan.py: error: {message}") and done.stderr.count("\n") == 1


def test_the_start_says_where_samples_and_losses_will_be(tiny, capsys):
    from training import loop

    config = tiny()
    loop.train(config)
    before_the_first_batch = capsys.readouterr().out.partition("Epoch:")[0]
    assert f"a new run in {config.checkpoint_dir}" in before_the_first_batch
    assert f"samples: every 100 batches in {config.sample_dir}, beside real.png" in before_the_first_batch
    assert f"tensorboard --logdir {config.log_dir}" in before_the_first_batch


@pytest.mark.parametrize("fast", [True, False])
def test_auto_takes_bfloat16_where_it_is_fast_and_says_so(tiny, monkeypatch, capsys, fast):
    from devices import choice
    from runs import files
    from training import loop

    monkeypatch.setattr(choice, "fast_bfloat16", lambda: fast)
    config = tiny(precision="auto")
    loop.train(config)
    taken = "bfloat16" if fast else "float32"
    assert f"training in {taken} on" in capsys.readouterr().out
    assert files.read_settings(config.checkpoint_dir)["precision"] == taken


def test_xla_is_chosen_on_one_gpu_and_the_line_says_why_not(monkeypatch):
    from devices import choice

    gpus = ["GPU:0"]
    monkeypatch.setattr(choice.tf.config, "get_visible_devices", lambda kind: gpus)
    monkeypatch.setattr(choice.gpu_help, "why_no_xla", lambda: None)
    assert choice.use_xla(None, False, None) == (True, None)
    assert choice.use_xla(False, False, None) == (False, None)  # --no_xla
    assert choice.use_xla(None, False, "a strategy") == (False, "it works on one device only")
    assert choice.use_xla(None, True, None)[1].startswith("--deterministic")
    monkeypatch.setattr(choice.gpu_help, "why_no_xla", lambda: "XLA needs libdevice.10.bc, and finds none")
    assert choice.use_xla(None, False, None) == (False, "XLA needs libdevice.10.bc, and finds none")
    assert choice.use_xla(True, True, None) == (True, None)  # choose() has refused it, where it can't work
    gpus.clear()
    assert choice.use_xla(None, False, None) == (False, None)


def test_a_run_from_before_xla_chose_itself_resumes_without_a_word_of_it(tiny, capsys):
    import dataclasses
    import json

    from runs import files
    from training import loop

    config = tiny()
    loop.train(config)
    path = os.path.join(config.checkpoint_dir, files.SETTINGS)
    with open(path) as file:
        settings = json.load(file)
    with open(path, "w") as file:
        json.dump(settings | {"xla": False}, file)
    capsys.readouterr()
    loop.train(dataclasses.replace(config, epoch=2))
    printed = capsys.readouterr().out
    assert "--xla" not in printed and "XLA" not in printed
