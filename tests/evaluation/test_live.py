import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, as_flags, load_model
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from evaluation import live, report
from evaluation.real import RealFaces
from evaluation.settings import EvaluationSettings
from runs import files
from training import loop


def numbers(*fdd):
    """An evaluate function that returns these FDDs in turn."""
    left = list(fdd)
    return lambda dcgan: {"FDD": left.pop(0), "face rate": 1.0}


def test_numbers_stand_beside_the_losses_and_the_best_checkpoint_is_kept_and_named(tiny, capsys):
    config = tiny(epoch=3, evaluate_every=4, checkpoint_every=1, max_to_keep=2)  # 18 batches
    loop.train(config, evaluate=numbers(0.5, 0.2, 0.3, 0.4))
    log = EventAccumulator(config.log_dir, size_guidance={"tensors": 0}).Reload()
    assert [event.step for event in log.Tensors("FDD")] == [4, 8, 12, 16]
    assert files.latest_steps(config.checkpoint_dir) == [8, 17, 18]
    printed = capsys.readouterr().out
    assert "evaluation at step 8: FDD 0.200, face rate 1.000" in printed
    assert "lowest FDD: 0.2000 at step 8, kept; the other scripts take it with --step 8" in printed
    loop.train(tiny(epoch=4, evaluate_every=4, checkpoint_every=1, max_to_keep=2), evaluate=numbers(0.6, 0.1))
    assert files.latest_steps(config.checkpoint_dir) == [23, 24]  # 24 is the best now


def test_no_checkpoint_is_the_best_where_hardly_any_picture_shows_a_face(tiny, capsys):
    config = tiny(epoch=2, evaluate_every=4, checkpoint_every=1, max_to_keep=2)  # 12 batches
    about = {"real face rate": 0.9, "n": 500}
    found = iter([dict(FDD=0.3), dict(FDD=0.2), dict(FDD=0.1)])
    loop.train(config, evaluate=lambda dcgan: next(found) | about | {"face rate": 0.4})
    assert files.latest_steps(config.checkpoint_dir) == [11, 12]
    printed = capsys.readouterr().out
    assert "no checkpoint is kept as the best: dlib's detector finds faces in too few" in printed
    assert "lowest FDD" not in printed and "real face rate" not in printed
    log = EventAccumulator(config.log_dir, size_guidance={"tensors": 0}).Reload()
    assert "n=500/FDD" in log.Tags()["tensors"] and "FDD" not in log.Tags()["tensors"]


def test_without_the_flag_nothing_is_evaluated(tiny):
    config = tiny()
    loop.train(config)
    assert not os.path.exists(os.path.join(config.checkpoint_dir, files.EVALUATIONS))


def test_a_kill_during_an_evaluation_loses_nothing_and_a_resume_repeats_it(tiny):
    config = tiny(epoch=2, evaluate_every=4, deterministic=True)
    code = (
        f"import os, sys; sys.path.insert(0, {ROOT!r}); from devices import start; start.set_up(True)\n"
        "from training import loop; from training.settings import TrainSettings\n"
        f"loop.train(TrainSettings(**{config.__dict__!r}), evaluate=lambda dcgan: os._exit(9))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 9
    assert files.latest_steps(config.checkpoint_dir) == [4]

    def mean(dcgan):
        return {"FDD": float(np.mean(dcgan.sample(np.zeros([2, 8], np.float32))))}

    loop.train(config, evaluate=mean)
    evaluated = json.load(open(os.path.join(config.checkpoint_dir, files.EVALUATIONS)))
    assert [*evaluated] == ["4", "8", "12"]
    dcgan, _ = (
        load_model(config.checkpoint_dir, step=4) if 4 in files.latest_steps(config.checkpoint_dir) else (None, 0)
    )
    assert dcgan is None or evaluated["4"] == mean(dcgan)


def test_the_numbers_are_those_of_evaluate(faces, tiny):
    pytest.importorskip("dlib")
    config = tiny(image_size=64, evaluate_every=6)
    loop.train(config, evaluate=live.evaluator(config, n=10))
    evaluated = json.load(open(os.path.join(config.checkpoint_dir, files.EVALUATIONS)))
    dcgan, step = load_model(config.checkpoint_dir)
    assert step == 6
    real = RealFaces(config.checkpoint_dir, 64, 3, EvaluationSettings(dataset=faces, n=10))
    expected = report.measure(dcgan, real)[0] | {"n": 10, "real face rate": real.face_rate}
    assert evaluated["6"] == pytest.approx(expected, rel=1e-4)


def test_the_script_hands_the_evaluation_to_the_loop(tiny, monkeypatch):
    script = os.path.join(ROOT, "train-dcgan.py")
    done = subprocess.run(
        [sys.executable, script, *as_flags(tiny(evaluate_every=6, image_size=64))], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "these numbers do not compare" in done.stdout or "evaluation at step 6: face rate" in done.stdout


def test_a_pending_evaluation_removes_no_later_checkpoint(tiny, monkeypatch):
    config = tiny(epoch=2, checkpoint_every=4)
    loop.train(config)
    assert files.latest_steps(config.checkpoint_dir) == [4, 8, 12]

    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.Replicas, "inputs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.train(tiny(epoch=2, checkpoint_every=4, evaluate_every=4, step=4), evaluate=numbers(0.5))
    assert files.latest_steps(config.checkpoint_dir) == [4, 8, 12]
