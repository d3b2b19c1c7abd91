import os
import subprocess
import sys

from conftest import ROOT


def test_keras_is_not_loaded_at_the_start_and_can_be_later(tmp_path):
    code = "import os, sys; from devices import start; start.set_up(); print('keras' in sys.modules, os.listdir()); "
    code += "import keras, tensorflow as tf; print(keras.layers.Dense(2)(tf.ones([1, 1])).shape, os.listdir('.keras'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={name: value for name, value in os.environ.items() if name != "KERAS_HOME"}
        | {"PYTHONPATH": ROOT, "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["False []", "(1, 2) ['keras.json']"], done.stderr


def test_the_last_words_of_a_process_that_aborts_are_heard_without_the_noise():
    code = "import os; from devices import start\nwith start.quiet():\n"
    code += "    os.write(2, b'oneDNN custom operations are on\\nlast words\\n'); os.abort()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -6 and done.stderr == "last words\n"


def test_where_children_are_not_waited_for_it_starts_all_the_same():
    code = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); from devices import start\n"
    code += "with start.quiet(): print('in')\nprint('out')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.split() == ["in", "out"], done.stderr


def test_the_users_flags_for_xla_stay_and_a_file_of_them_is_left_alone(tmp_path, monkeypatch):
    from devices import start

    ours = "--xla_gpu_enable_triton_gemm=false"
    for given, expected in (
        ("", ours),
        ("--xla_dump_to=/tmp/x", f"--xla_dump_to=/tmp/x {ours}"),
        ("--xla_gpu_enable_triton_gemm=true", "--xla_gpu_enable_triton_gemm=true"),
        (str(tmp_path / "flags"), str(tmp_path / "flags")),  # XLA takes it for the name of a file
    ):
        monkeypatch.setenv("XLA_FLAGS", given)
        start.set_up(xla=None)
        assert os.environ["XLA_FLAGS"] == expected
    monkeypatch.setenv("XLA_FLAGS", "")
    start.set_up(xla=False)
    assert os.environ["XLA_FLAGS"] == ""
