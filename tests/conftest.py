"""Small inputs that the tests share: drawn faces, and settings of a network that trains in moments."""

import contextlib
import importlib.util
import os
import subprocess
import sys

import hypothesis
import numpy as np
import pytest

# The same examples each time; a machine may be busy
hypothesis.settings.register_profile("ours", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ours")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FIXTURES = os.path.join(ROOT, "tests", "fixtures")
TF1 = os.path.join(FIXTURES, "tf1_checkpoint")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from photos import demo  # noqa: E402

TINY = dict(image_size=16, z_dim=8, gf_dim=4, df_dim=4, batch_size=4, epoch=1, log_every=1)


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    """A folder of 26 drawn faces: six batches of 4, and two images more."""
    folder = tmp_path_factory.mktemp("faces")
    demo.write_faces(folder, 26)
    return str(folder)


@pytest.fixture
def tiny(faces, tmp_path):
    """make(**changes): a TrainSettings of a tiny run in a folder of its own."""
    from training.settings import TrainSettings

    def make(**changes):
        folders = dict(checkpoint_dir="checkpoints", sample_dir="samples", log_dir="logs")
        folders = {name: str(tmp_path / folder) for name, folder in folders.items()}
        return TrainSettings(**dict(dataset=faces) | TINY | folders | changes)

    return make


def face_photo(which=0, side=256):
    """A drawn face that dlib's detector takes for one: a PIL image, RGB, side x side."""
    return demo.draw_face(0, [10, 12, 21, 23, 24, 27][which]).resize((side, side))


def as_flags(config):
    """A TrainSettings as train-dcgan.py's arguments."""
    import dataclasses

    flags = []
    for name, value in dataclasses.asdict(config).items():
        if value is True:
            flags.append(f"--{name}")
        elif value not in (None, False):
            flags += [f"--{name}", str(value)]
    return flags


def run_script(name, *arguments, cwd=None, **more):
    """Run a script of the project in a process of its own, to its end."""
    command = [sys.executable, os.path.join(ROOT, name), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, **more)


def run_module(name, *arguments):
    """Run `python -m name` from the project's folder, to its end."""
    command = [sys.executable, "-m", name, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)


def load_script(name):
    """A script of the project as a module."""
    spec = importlib.util.spec_from_file_location(name.replace("-", "_")[:-3], os.path.join(ROOT, name))
    module = importlib.util.module_from_spec(spec)
    with contextlib.suppress(SystemExit):
        spec.loader.exec_module(module)
    return module


def drawn_faces(n, seed=0):
    """Drawn faces as an array, uint8 [n, 64, 64, 3]."""
    return np.stack([np.asarray(demo.draw_face(seed, k)) for k in range(n)])


def train(folder, **settings):
    """Train in folders below `folder` -> the checkpoint folder."""
    from training import loop
    from training.settings import TrainSettings

    folders = {f"{kind}_dir": str(folder / kind) for kind in ("checkpoint", "sample", "log")}
    loop.train(TrainSettings(**settings, **folders))
    return folders["checkpoint_dir"]


def load_model(directory, step=None):
    """The network in a folder -> (DCGAN, step)."""
    from runs import loading, network

    found = network.find_network(str(directory), step)
    return loading.load_model(found), found.step


@pytest.fixture(scope="session")
def tiny_run(faces, tmp_path_factory):
    """Checkpoint folder of a run on 16x16 images, at steps 4 and 6. Not to be written to."""
    return train(tmp_path_factory.mktemp("tiny_run"), dataset=faces, **TINY, checkpoint_every=4)


@pytest.fixture(scope="session")
def trained(faces, tmp_path_factory):
    """Checkpoint folder of a run on 64x64 images, at steps 3 and 6. Not to be written to.

    It learns fast, so that its pictures differ from each other.
    """
    settings = dict(z_dim=8, gf_dim=4, df_dim=4, batch_size=4, epoch=1, checkpoint_every=3, ema=0.9, learning_rate=0.01)
    return train(tmp_path_factory.mktemp("trained"), dataset=faces, **settings)
