import os
import subprocess
import sys

from conftest import ROOT


def test_keras_finds_its_home_after_the_start(tmp_path):
    code = "import os; from devices import start; "
    code += "os.environ.setdefault('KERAS_HOME', 'k'); start.set_up(); import keras; "
    code += "from keras.src.backend.config import keras_home; print(keras_home())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": ROOT},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "k", done.stderr
