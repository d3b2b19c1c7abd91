"""Small inputs that the tests share: drawn faces, and settings of a network that trains in moments."""

import contextlib
import importlib.util
import os
import subprocess
import sys

import hypothesis
import pytest

# The same examples each time; a machine may be busy
hypothesis.settings.register_profile("ours", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ours")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FIXTURES = os.path.join(ROOT, "tests", "fixtures")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import demo_faces  # noqa: E402

TINY = dict(image_size=16, z_dim=8, gf_dim=4, df_dim=4, batch_size=4, epoch=1, log_every=1)


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    """A folder of 26 drawn faces: six batches of 4, and two images more."""
    folder = tmp_path_factory.mktemp("faces")
    demo_faces.write_faces(folder, 26)
    return str(folder)


@pytest.fixture
def tiny(faces, tmp_path):
    """make(**changes): a TrainConfig of a tiny run in a folder of its own."""
    from training.settings import TrainConfig

    def make(**changes):
        folders = dict(checkpoint_dir="checkpoints", sample_dir="samples", log_dir="logs")
        folders = {name: str(tmp_path / folder) for name, folder in folders.items()}
        return TrainConfig(**dict(dataset=faces) | TINY | folders | changes)

    return make


def face_photo(which=0, side=256):
    """A drawn face that dlib's detector takes for one: a PIL image, RGB, side x side."""
    return demo_faces.draw_face(0, [0, 1, 4, 10, 12, 14][which]).resize((side, side))


def as_flags(config):
    """A TrainConfig as train-dcgan.py's arguments."""
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


def load_script(name):
    """A script of the project as a module."""
    spec = importlib.util.spec_from_file_location(name.replace("-", "_")[:-3], os.path.join(ROOT, name))
    module = importlib.util.module_from_spec(spec)
    with contextlib.suppress(SystemExit):
        spec.loader.exec_module(module)
    return module
