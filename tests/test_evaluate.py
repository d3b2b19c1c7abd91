"""evaluate.py with dlib's own models, on drawn faces and a tiny network."""

import json
import os
import shutil

import pytest
import tensorflow as tf
from conftest import run_script
from PIL import Image
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from photos import demo


def test_script_prints_a_table_and_writes_it_beside_the_checkpoint(trained, faces, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "checkpoints")
    held_out = tmp_path / "held_out"
    demo.write_faces(held_out, 5, seed=9)
    more = ["--held_out", held_out, "--log_dir", tmp_path / "logs", "--workers", 1]
    first = run_script(
        "evaluate.py", "--checkpoint_dir", folder, "--dataset", faces, "--n", 12, "--steps", "all", *more, cwd=tmp_path
    )
    assert first.returncode == 0, first.stderr
    assert "step 3: 12 generated faces (seed 0)" in first.stdout and "step 6: 12 generated" in first.stdout
    with open(folder / "evaluation-6.json") as file:
        table = json.load(file)
    assert (table["step"], table["n"], table["real faces"]) == (6, 12, 26)
    assert [*table["generated"]] == ["face rate", "FDD", "precision", "recall", "1-NN accuracy"]
    assert table["generated"]["FDD"] > table["real"]["FDD"] > 0
    assert [*table["nearest training face"]] == ["12 generated faces", "5 held-out faces"]
    with Image.open(folder / "evaluation-6.png") as sheet:
        assert sheet.size == (16 * 64, 2 * 64)  # 12 samples, each beside its neighbour
    curve = EventAccumulator(str(tmp_path / "logs" / "evaluation")).Reload()
    assert [event.step for event in curve.Tensors("n=12/FDD")] == [3, 6]
    assert float(tf.make_ndarray(curve.Tensors("n=12/FDD")[1].tensor_proto)) == pytest.approx(table["generated"]["FDD"])
    kept = [name for name in os.listdir(folder) if name.startswith("real-")]
    assert len(kept) == 3  # features of real and of held-out faces, and what the detector found
    (folder / "evaluation-6.json").unlink()
    with open(folder / sorted(kept)[0], "r+b") as file:
        file.truncate(100)
    again = run_script("evaluate.py", "--checkpoint_dir", folder, "--dataset", faces, "--n", 12, *more, cwd=tmp_path)
    assert again.returncode == 0 and "computing it again" in again.stderr
    with open(folder / "evaluation-6.json") as file:
        assert json.load(file) == table
    assert sorted(os.listdir(tmp_path)) == ["checkpoints", "held_out", "logs"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--dataset", "nowhere"], "--dataset nowhere: no such folder"),
        (["--dataset", ".", "--held_out", "nowhere"], "--held_out nowhere: no such folder"),
        (["--dataset", "."], "--checkpoint_dir checkpoints: no such folder"),
        (["--dataset", ".", "--n", "3"], "--n 3: must be a whole number from 10 to 10000"),
    ],
)
def test_bad_usage_is_refused_in_words(tmp_path, arguments, message):
    done = run_script("evaluate.py", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_missing_step_is_refused_before_the_work(tiny_run, tmp_path):
    done = run_script("evaluate.py", "--checkpoint_dir", tiny_run, "--dataset", ".", "--steps", "7", cwd=tmp_path)
    assert done.returncode == 2 and "--steps 7: no such checkpoint" in done.stderr and "(there: 4, 6)" in done.stderr


def test_a_damaged_checkpoint_among_several_is_named_and_passed_over(faces, trained, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "checkpoints")
    with open(folder / "DCGAN.model-3.data-00000-of-00001", "r+b") as file:
        file.truncate(1000)
    done = run_script(
        "evaluate.py", "--checkpoint_dir", folder, "--dataset", faces, "--n", 10, "--steps", "3,6",
        "--log_dir", tmp_path / "logs",
    )  # fmt: skip
    assert done.returncode == 0 and "step 6: 10 generated" in done.stdout
    assert "DCGAN.model-3: damaged" in done.stderr and "Traceback" not in done.stderr


def test_without_dlib_it_says_what_to_install(faces, trained, tmp_path):
    (tmp_path / "dlib.py").write_text("raise ModuleNotFoundError(\"No module named 'dlib'\", name='dlib')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = run_script("evaluate.py", "--checkpoint_dir", trained, "--dataset", faces, "--n", 10, env=environment)
    assert done.returncode == 1
    assert "the package dlib is not installed here; type: " in done.stderr and "Traceback" not in done.stderr


def test_a_read_only_checkpoint_folder_is_noticed_before_the_work_and_out_helps(trained, faces, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "c")
    (tmp_path / "not a folder").touch()
    command = ["evaluate.py", "--checkpoint_dir", folder, "--dataset", faces, "--n", 12, "--workers", 1]
    refused = run_script(*command, "--out", tmp_path / "not a folder")
    assert refused.returncode == 2 and "can't be written to" in refused.stderr and "with --out" in refused.stderr
    before = sorted(os.listdir(folder))
    done = run_script(*command, "--out", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(folder)) == before
    assert {"evaluation-6.json", "evaluation-6.png"} < set(os.listdir(tmp_path / "results"))
