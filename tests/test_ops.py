import numpy as np
import pytest
import tensorflow as tf

import ops

rng = np.random.default_rng(0)


def randn(*shape):
    return rng.normal(size=shape).astype(np.float32)


def conv2d_by_hand(x, w, biases):
    """5x5, stride 2, SAME, in loops. SAME pads 1 before and 2 after an even side."""
    batch, height, width, _ = x.shape
    padded = np.pad(x, [(0, 0), (1, 2), (1, 2), (0, 0)])
    y = np.zeros((batch, height // 2, width // 2, w.shape[3]))
    for i in range(height // 2):
        for j in range(width // 2):
            patch = padded[:, 2 * i : 2 * i + 5, 2 * j : 2 * j + 5]
            y[:, i, j] = np.tensordot(patch, w, axes=3)
    return y + biases


def conv2d_transpose_by_hand(x, w, biases):
    """Every input pixel adds its kernel to the output at twice its place."""
    batch, height, width, _ = x.shape
    padded = np.zeros((batch, 2 * height + 3, 2 * width + 3, w.shape[2]))
    for i in range(height):
        for j in range(width):
            padded[:, 2 * i : 2 * i + 5, 2 * j : 2 * j + 5] += np.einsum("bi,hwoi->bhwo", x[:, i, j], w)
    return padded[:, 1 : 1 + 2 * height, 1 : 1 + 2 * width] + biases


def test_linear_is_matrix_product_plus_bias():
    x, matrix, bias = randn(3, 7), randn(7, 5), randn(5)
    np.testing.assert_allclose(ops.linear(x, matrix, bias), x @ matrix + bias, rtol=1e-5, atol=1e-5)


def test_conv2d_equals_loops():
    x, w, biases = randn(2, 8, 6, 3), randn(5, 5, 3, 4), randn(4)
    np.testing.assert_allclose(ops.conv2d(x, w, biases), conv2d_by_hand(x, w, biases), rtol=1e-4, atol=1e-4)


def test_conv2d_transpose_equals_loops():
    x, w, biases = randn(2, 4, 3, 6), randn(5, 5, 4, 6), randn(4)
    ours = ops.conv2d_transpose(x, w, biases)
    assert ours.shape == (2, 8, 6, 4)
    np.testing.assert_allclose(ours, conv2d_transpose_by_hand(x, w, biases), rtol=1e-4, atol=1e-4)


def test_lrelu_leaks_a_fifth():
    np.testing.assert_allclose(ops.lrelu(tf.constant([-10.0, 0.0, 3.0])), [-2.0, 0.0, 3.0])


def test_batch_norm_normalises_by_population_moments():
    x, gamma, beta = randn(4, 3, 3, 5) * 3 + 2, randn(5), randn(5)
    y, mean, variance = ops.batch_norm(x, gamma, beta)
    flat = x.reshape(-1, 5)
    expected = (x - flat.mean(0)) / np.sqrt(flat.var(0) + 1e-5) * gamma + beta
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(mean, flat.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(variance, flat.var(0), rtol=1e-5)  # divides by N: N-1 is 3 % off here


def test_batch_norm_with_given_moments_uses_them():
    x, gamma, beta, mean, variance = randn(2, 2, 2, 3), randn(3), randn(3), randn(3), np.abs(randn(3))
    y, *_ = ops.batch_norm(x, gamma, beta, mean, variance)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("passes", [1, 2])
def test_moving_averages_move_by_a_tenth_a_pass(passes):
    norm, x = ops.BatchNorm(3, name="bn"), randn(4, 2, 2, 3) * 2 + 1
    norm(x, training=True, passes=passes)
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(passes):
        mean = 0.9 * mean + 0.1 * x.mean((0, 1, 2))
        variance = 0.9 * variance + 0.1 * x.var((0, 1, 2))
    np.testing.assert_allclose(norm.moving_mean, mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-5)


def test_inference_leaves_moving_averages_alone():
    norm = ops.BatchNorm(3, name="bn")
    norm(randn(4, 2, 2, 3), training=False)
    assert norm.moving_mean.numpy().tolist() == [0, 0, 0]
    assert norm.moving_variance.numpy().tolist() == [1, 1, 1]


def test_initial_values_are_the_originals():
    truncated = ops.Conv2D(16, 64, name="c").w.numpy()
    assert np.abs(truncated).max() <= 0.04  # truncated at two standard deviations
    assert 0.017 < truncated.std() < 0.0182  # 0.88 of 0.02, as truncation leaves it
    for normal in ops.Conv2DTranspose(64, 16, name="t").w, ops.Linear(64, 400, name="l").matrix:
        assert np.abs(normal.numpy()).max() > 0.06
        assert 0.0195 < normal.numpy().std() < 0.0205
    assert not ops.Conv2D(2, 3, name="c").biases.numpy().any()


def test_initial_values_depend_on_seed_and_name_alone():
    def weights(seed, name):
        return ops.Linear(3, 3, seed, name=name).matrix.numpy()

    assert (weights(1, "a") == weights(1, "a")).all()
    assert (weights(1, "a") != weights(2, "a")).all()
    assert (weights(1, "a") != weights(1, "b")).all()
