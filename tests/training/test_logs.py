import numpy as np
import pytest

from training.logs import Watch
from training.settings import TrainSettings

HEALTHY = dict(d_loss=1.2, g_loss=1.0)
ONE = np.random.default_rng(0).integers(0, 256, [1, 8, 8, 3], np.uint8).repeat(64, 0)


def watch(**settings):
    """A Watch of a run with these settings, and the list of what it says."""
    said = []
    return Watch(said.append, TrainSettings(dataset="my photos", **settings)), said


@pytest.mark.parametrize(
    "name, words", [("d_loss", "the discriminator knows its photos"), ("g_loss", "takes every image for real")]
)
def test_a_loss_near_zero_for_long_is_said_once(name, words):
    watcher, said = watch()
    for step in range(1, 502, 10):
        watcher.losses(step, HEALTHY | {name: 0.001})
        assert bool(said) == (step == 501)
    for step in range(511, 2000, 10):
        watcher.losses(step, HEALTHY | {name: 0.001})
    assert len(said) == 1
    assert f"{name} has been near zero for 500 batches" in said[0] and words in said[0]


def test_a_loss_that_recovers_is_not_warned_of():
    watcher, said = watch()
    for step in range(1, 3000, 10):
        watcher.losses(step, HEALTHY | {"d_loss": 0.5 if step % 490 == 1 else 0.001})
    assert said == []


def test_a_generator_that_draws_one_picture_is_warned_of_once():
    watcher, said = watch()
    rng = np.random.default_rng(0)
    for step in range(100, 700, 100):
        watcher.samples(step, rng.integers(0, 256, [64, 8, 8, 3], np.uint8))
    for step in range(700, 2000, 100):
        watcher.samples(step, ONE)
        assert bool(said) == (step >= 1200)
    assert len(said) == 1 and "the generator is dead" in said[0]


def after_long(watcher, said, **losses):
    for step in (1, 501):
        watcher.losses(step, HEALTHY | losses)
        if not losses:
            watcher.samples(step, ONE)
    return said[0]


def test_the_three_cases_have_three_remedies():
    won = after_long(*watch(), d_loss=0.001)
    assert "./evaluate.py --dataset 'my photos' --checkpoint_dir checkpoints --steps all" in won
    assert "that is normal" in won and "warning" not in won
    assert "see whether FDD above still falls" in after_long(*watch(evaluate_every=100), d_loss=0.001)
    for case in ({"g_loss": 0.001}, {}):
        assert "earlier checkpoint with --step, or start anew with another --seed" in after_long(*watch(), **case)
        for weaker in ({"df_dim": 16}, {"d_learning_rate": 1e-4}, {"g_learning_rate": 4e-4}, {"df_dim": [8, 8, 8, 8]}):
            assert "give D the width and the learning rate of G" in after_long(*watch(**weaker), **case)
