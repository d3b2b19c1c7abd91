import numpy as np
import pytest

from training.logs import Watch

HEALTHY = dict(d_loss=1.2, g_loss=1.0)


@pytest.mark.parametrize(
    "name, words", [("d_loss", "the discriminator has won"), ("g_loss", "takes every image for real")]
)
def test_a_loss_near_zero_for_long_is_warned_of_once(name, words):
    said = []
    watch = Watch(said.append)
    for step in range(1, 502, 10):
        watch.losses(step, HEALTHY | {name: 0.001})
        assert bool(said) == (step == 501)
    for step in range(511, 2000, 10):
        watch.losses(step, HEALTHY | {name: 0.001})
    assert len(said) == 1
    assert f"{name} has been near zero for 500 batches" in said[0] and words in said[0] and "--step" in said[0]


def test_a_loss_that_recovers_is_not_warned_of():
    said = []
    watch = Watch(said.append)
    for step in range(1, 3000, 10):
        watch.losses(step, HEALTHY | {"d_loss": 0.5 if step % 490 == 1 else 0.001})
    assert said == []


def test_a_generator_that_draws_one_picture_is_warned_of_once():
    said = []
    watch = Watch(said.append)
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, [1, 8, 8, 3], np.uint8).repeat(64, 0)
    for step in range(100, 700, 100):
        watch.samples(step, rng.integers(0, 256, [64, 8, 8, 3], np.uint8))
    for step in range(700, 2000, 100):
        watch.samples(step, one)
        assert bool(said) == (step >= 1200)
    assert len(said) == 1 and "the generator is dead" in said[0]
