"""Each benchmark at a tiny size: it runs, and prints its figures."""

import itertools
import re

import pytest
from conftest import face_photo, run_module

from benchmarks import gpu, many_files, timing

pytestmark = pytest.mark.soak


def figures(name, *arguments):
    """Run a benchmark -> what it printed."""
    done = run_module(f"benchmarks.{name}", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_train():
    printed = figures("train", "--rounds", 1, "--batch_size", 4, "--dim", 4)
    for row in "the original's loop", "float32", "bfloat16":
        assert re.search(rf"^\| {row} \| [\d.]+ \| [\d.]+ \| \d+ \|", printed, re.MULTILINE)
    assert printed.count("from files, later") == 2


def test_what_train_measures_on_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "BATCHES", 1)
    monkeypatch.setattr(gpu, "SIDE", 512)
    gpu.main(4, 0.1, batch_sizes=(4,))
    printed = capsys.readouterr().out
    for precision, xla in itertools.product(timing.PRECISIONS, ("no", "yes")):
        assert re.search(rf"^\| {precision} \| {xla} \| 1 \| 4 \| [\d.]+ \| [\d,]+ \| \d+%", printed, re.MULTILINE)
    assert re.search(r"batch 4: .* from PNG files [\d.]+ ms in the first epoch, [\d.]+ ms later", printed)


def test_operations():
    printed = figures("operations", "--batch_size", 4, "--dim", 4)
    assert re.search(r"^\| \w*Conv2DBackpropInput \| [\d.]+ \| [\d.]+% \| \d+ \|", printed, re.MULTILINE)
    share = float(re.search(r"convolutions and matrix products: ([\d.]+)% of all", printed)[1])
    assert 5 < share < 100 and len(re.findall(r"^\| \w+ \|", printed, re.MULTILINE)) >= 10


def test_complete():
    printed = figures("complete", "--rounds", 1, "--iterations", 1)
    assert len(re.findall(r"(?:float32|bfloat16): \d+\.\d{4} s per iteration", printed)) == 4


def test_replicas():
    printed = figures("replicas", "--n", 1, "--batch_size", 4, "--dim", 4)
    assert re.search(r"two logical devices: [\d.]+ s per batch", printed)


def test_many_files():
    printed = figures("many_files", "--n", 200)
    for kind in "png", "rec", "zip", "tar":
        assert re.search(rf"200 images as {kind}: first batch after [\d.]+ s, [\d,]+ MB resident", printed)


def test_many_files_read(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(many_files, "READ", 150)
    many_files.demo.write_faces(tmp_path / "faces", many_files.FACES)
    many_files.compare_reading(tmp_path, [path.read_bytes() for path in (tmp_path / "faces").iterdir()])
    printed = capsys.readouterr().out
    for kind in many_files.WRITERS:
        assert len(re.findall(rf"{kind}, [12] threads: [\d,]+ images/s, \d\.\d\d of png", printed)) == 2


def test_align(tmp_path):
    pytest.importorskip("dlib")
    for i in range(4):
        face_photo(i).save(tmp_path / f"{i}.jpg")
    printed = figures("align", tmp_path, "--rounds", 1)
    assert re.search(r"4 photos, medians of 1\nagainst bare calls: \d+\.\d{3}", printed)
