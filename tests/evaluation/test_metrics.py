"""Features made up, with distances that are known."""

import numpy as np
import pytest
from scipy import linalg

from evaluation import metrics


def normal(n, dim=8, mean=0.0, scale=1.0, seed=0):
    return (np.random.default_rng(seed).normal(size=[n, dim]) * scale + mean).astype(np.float32)


def test_frechet_distance_of_a_set_to_itself_is_zero():
    rows = normal(500)
    assert metrics.frechet_distance(rows, rows) < 1e-9


def test_frechet_distance_of_shifted_and_scaled_gaussians_is_the_formulas():
    # |m|^2 + sum (s_a - s_b)^2 for independent coordinates
    a, b = normal(200_000, 4), normal(200_000, 4, mean=[3, 0, 0, 0], scale=[1, 2, 1, 1], seed=1)
    assert metrics.frechet_distance(a, b) == pytest.approx(9 + 1, rel=0.02)


def test_frechet_distance_equals_the_textbooks_square_root():
    rng = np.random.default_rng(2)
    a, b = (rng.normal(size=[300, 6]) @ rng.normal(size=[6, 6]) + rng.normal(size=6) for _ in range(2))
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(cov_a + cov_b - 2 * linalg.sqrtm(cov_a @ cov_b).real)
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert metrics.frechet_distance(b, a) == pytest.approx(expected, rel=1e-8)


def test_frechet_distance_is_finite_for_singular_covariances():
    rows = normal(10, 128)  # rank 9
    flat = np.repeat(rows[:, :1], 128, axis=1)
    for other in flat, normal(10, 128, seed=1), np.zeros([10, 128]):
        assert np.isfinite(metrics.frechet_distance(rows, other))
    assert metrics.frechet_distance(rows, rows) < 1e-6
    assert metrics.frechet_distance(np.zeros([5, 3]), np.ones([5, 3])) == pytest.approx(3)


def test_distances_are_euclidean():
    a, b = normal(5), normal(7, seed=1)
    np.testing.assert_allclose(metrics.distances(a, b), np.linalg.norm(a[:, None] - b, axis=-1), rtol=1e-5)


def test_radius_reaches_the_third_neighbour():
    line = np.array([[0.0], [1], [3], [6], [10]])
    np.testing.assert_allclose(metrics.radii(line), [6, 5, 3, 5, 9])


def test_precision_and_recall_of_the_same_distribution_are_high_and_of_another_zero():
    real, same = normal(400, 2), normal(400, 2, seed=1)
    precision, recall = metrics.precision_recall(real, same)
    assert precision > 0.9 and recall > 0.9
    assert metrics.precision_recall(real, normal(400, 2, mean=100)) == (0, 0)


def test_a_collapsed_generator_is_precise_without_recall_and_a_wild_one_the_reverse():
    real = normal(400, 2)
    precision, recall = metrics.precision_recall(real, normal(400, 2, scale=0.05, seed=1))
    assert precision > 0.95 and recall < 0.2
    precision, recall = metrics.precision_recall(real, normal(400, 2, scale=20, seed=1))
    assert precision < 0.2 and recall > 0.9


@pytest.mark.parametrize("mean, low, high", [(0, 0.45, 0.55), (1, 0.6, 0.9), (100, 1, 1)])
def test_one_nn_accuracy_is_a_half_for_equals_and_one_for_strangers(mean, low, high):
    assert low <= metrics.one_nn_accuracy(normal(1000), normal(1000, mean=mean, seed=1)) <= high


def test_copies_are_found_by_their_neighbours():
    """Each row beside its own copy: a nearest neighbour is always wrong, and a memorising generator shows."""
    rows = normal(100)
    assert metrics.one_nn_accuracy(rows, rows + 1e-4) == 0
    indices, found = metrics.nearest(rows[::-1] + 1e-4, rows)
    assert indices.tolist() == list(range(99, -1, -1)) and found.max() < 1e-3


def test_nearest_may_leave_the_row_itself_out():
    rows = normal(3000, 4)  # more than a block
    indices, found = metrics.nearest(rows, rows, leave_one_out=True)
    assert (indices != np.arange(3000)).all() and found.min() > 0
    between = metrics.distances(rows[2500:2501], rows)[0]
    assert found[2500] == np.sort(between)[1]


def test_compare_puts_real_before_worse_before_noise():
    real, floor, near, far = (
        normal(500),
        normal(500, seed=1),
        normal(500, mean=0.5, seed=2),
        normal(500, mean=9, seed=3),
    )
    tables = [metrics.compare(real, rows) for rows in (floor, near, far)]
    assert [*tables[0]] == ["FDD", "precision", "recall", "1-NN accuracy"]
    for name, order in ("FDD", 1), ("1-NN accuracy", 1), ("precision", -1):
        numbers = [order * table[name] for table in tables]
        assert numbers == sorted(numbers) and numbers[0] < numbers[2], name
