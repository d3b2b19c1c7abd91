import os
import shutil

import numpy as np
import pytest
from conftest import run_script
from PIL import Image

from photos import preflight
from training.settings import TrainSettings


@pytest.fixture
def odd(faces, tmp_path):
    """26 faces, a copy of one, a gray and a small picture, and five bad files."""
    folder = tmp_path / "odd"
    shutil.copytree(faces, folder)
    shutil.copy(folder / "00003.png", folder / "again.png")
    Image.new("L", (30, 90)).save(folder / "gray.png")
    noise = np.random.default_rng(0).integers(0, 256, [64, 64, 3], np.uint8)
    Image.fromarray(noise).save(folder / "cut.png")
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:6000])
    (folder / "empty.png").touch()
    (folder / "text.jpg").write_text("not a picture")
    Image.new("1", (20_000, 20_000)).save(folder / "bomb.png")
    (folder / "notes.txt").touch()
    return folder


def test_reports_modes_sizes_copies_and_bad_files_with_remedies(odd, capsys):
    assert preflight.check(TrainSettings(dataset=str(odd))) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"32 images in {odd}, 28 of them good",
        "modes: RGB (28), L (1)",
        "sizes: 64x64 (28), 30x90 (1)",
        "smaller than --image_size 64: 1, which are enlarged",
        "skipped: .txt (1)",
        "exact copies: 1",
        "  again.png is a copy of 00003.png",
        "bad, shrink them, or delete them: 1",
        "  bomb.png: more than 89,478,485 pixels",
        "bad, copy them again from their source, or delete them: 2",
        lines[10],
        "  empty.png: empty",
        "bad, save them as PNG or JPEG with a picture editor, or delete them: 1",
        "  text.jpg: not an image, or in a format that this program does not read",
        "bad: 4 (12.50%; --max_bad allows 1.00%)",
    ]
    assert lines[10].startswith("  cut.png: image file is truncated")


def test_a_huge_file_costs_itself(faces, tmp_path, capsys):
    folder = tmp_path / "huge"
    shutil.copytree(faces, folder)
    with open(folder / "huge.png", "wb") as file:
        file.truncate(1 << 36)  # sparse
    assert preflight.check(TrainSettings(dataset=str(folder), max_bad=0.1)) == 0
    assert "  huge.png: not an image" in capsys.readouterr().out


def test_exit_code_follows_max_bad(odd, capsys):
    assert preflight.check(TrainSettings(dataset=str(odd), max_bad=0.13)) == 0
    assert preflight.check(TrainSettings(dataset=str(odd), train_size=20, max_bad=0.0)) == 0


def test_script_checks_without_training_and_without_tensorflow(odd, tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    block = tmp_path / "tensorflow.py"
    block.write_text("raise SystemExit('imported TensorFlow')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = run_script("train-dcgan.py", "--dataset", odd, "--check", cwd=here, env=environment)
    assert done.returncode == 2 and done.stdout.endswith("--max_bad allows 1.00%)\n"), done.stderr
    assert os.listdir(here) == []
    done = run_script("train-dcgan.py", "--dataset", "nowhere", "--check")
    assert done.returncode == 2 and "--dataset nowhere: no such folder" in done.stderr


def test_only_what_trains_is_checked(faces, tmp_path, capsys):
    assert preflight.check(TrainSettings(dataset=faces, hold_out=5)) == 0
    assert "21 images in" in capsys.readouterr().out
    assert preflight.check(TrainSettings(dataset=faces, hold_out=5, train_size=10)) == 0
    assert "10 images in" in capsys.readouterr().out
