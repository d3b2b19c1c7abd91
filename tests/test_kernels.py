import numpy as np
import pytest
import tensorflow as tf

import kernels
import ops

rng = np.random.default_rng(0)


def randn(*shape):
    return rng.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("side, small, big", [(4, 6, 5), (8, 3, 8), (16, 2, 3), (4, 6, 1)])
@pytest.mark.parametrize("dtype, tolerance", [(tf.float32, 1e-4), (tf.bfloat16, 0.03)])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("device", ["cpu", "amx", "gpu"])
def test_convolutions_and_their_gradients_equal_tensorflows_own(
    side, small, big, dtype, tolerance, transpose, device, monkeypatch
):
    """Those that kernels.py computes another way because it is faster, at sides on both sides of its choice."""
    monkeypatch.setattr(kernels, "cpu_flags", lambda: {"amx_bf16"} if device == "amx" else set())
    monkeypatch.setattr(kernels, "_on_cpu", lambda: device != "gpu")
    w = randn(5, 5, big, small)
    if transpose:
        x, dy = randn(2, side, side, small), randn(2, 2 * side, 2 * side, big)
    else:
        x, dy = randn(2, 2 * side, 2 * side, big), randn(2, side, side, small)
    x, w, dy = (tf.cast(tf.cast(tensor, dtype), tf.float32) for tensor in (x, w, dy))

    def own(x, w):
        if transpose:
            return tf.nn.conv2d_transpose(x, w, dy.shape, 2, "SAME")
        return tf.nn.conv2d(x, w, 2, "SAME")

    def ours(x, w):
        return (ops.conv2d_transpose if transpose else ops.conv2d)(x, w, tf.zeros([dy.shape[-1]]))

    @kernels.for_xla()
    def with_gradients(function, dtype):
        inputs = tf.cast(x, dtype), tf.cast(w, dtype)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = function(*inputs)
        return [y, *tape.gradient(y, inputs, tf.cast(dy, dtype))]

    def error(got, expected):
        return np.abs(tf.cast(got, tf.float32) - expected).max() / np.abs(expected).max()

    exact = with_gradients(own, tf.float32)
    for expected, theirs, got in zip(exact, with_gradients(own, dtype), with_gradients(ours, dtype)):
        assert got.dtype == dtype
        # TensorFlow's own kernels err by more where the processor has no bfloat16: they round each partial sum
        assert error(got, expected) < max(tolerance, 1.01 * error(theirs, expected))


@pytest.mark.parametrize(
    "content, flags",
    [
        ("processor: 0\nflags\t\t: fpu sse avx512_bf16\n\nflags\t\t: fpu\n", {"fpu", "sse", "avx512_bf16"}),
        ("processor: 0\nFeatures: fp asimd\n", set()),  # an Arm processor
        (None, set()),  # no such file
    ],
)
def test_flags_of_the_processor(content, flags, tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    if content:
        path.write_text(content)
    monkeypatch.setattr("builtins.open", lambda name, open=open: open(path))
    assert kernels.cpu_flags.__wrapped__() == flags
