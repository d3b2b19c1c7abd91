import os

import numpy as np
import pytest
import tensorflow as tf
from conftest import FIXTURES
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.python.framework.kernels import get_registered_kernels_for_op

from model import DCGAN, Adam, layer_widths

TINY = dict(image_size=16, z_dim=8, gf_dim=4, df_dim=4)
# Their true gradient is zero, for the batch norm behind them takes any constant away: Adam moves
# them by rounding noise alone.
NOISY = {f"generator/g_h{i}/biases" for i in (1, 2, 3)} | {f"discriminator/d_h{i}_conv/biases" for i in (1, 2, 3)}


def variables_by_name(dcgan):
    """{name without ":0": variable} of both networks."""
    return {v.name.split(":")[0]: v for v in dcgan.generator.variables + dcgan.discriminator.variables}


def images(n=4, size=16, channels=3, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, [n, size, size, channels]).astype(np.float32)


def values(variables):
    return [v.numpy() for v in variables]


def changed(before, variables):
    return [not np.array_equal(a, b) for a, b in zip(before, values(variables))]


@pytest.fixture(scope="module")
def parity():
    """The TF1 graph's numbers, and our losses and model after its three steps."""
    tf.config.experimental.enable_tensor_float_32_execution(False)  # of GPUs, with a relative error of 1e-3
    tf1 = np.load(os.path.join(FIXTURES, "tf1_parity.npz"))
    dcgan = DCGAN(z_dim=8, gf_dim=4, df_dim=4)
    for name, variable in variables_by_name(dcgan).items():
        variable.assign(tf1[f"init/{name}"])
    losses = [dcgan.train_step(tf1[f"images/{s}"], tf1[f"z/{s}"]) for s in range(3)]
    return tf1, dcgan, losses


def test_losses_equal_tf1(parity):
    tf1, _, losses = parity
    for s in range(3):
        real, fake = tf1[f"d_loss_real/{s}"], tf1[f"d_loss_fake/{s}"]
        expected = dict(d_loss_real=real, d_loss_fake=fake, d_loss=real + fake, g_loss=tf1[f"g_loss_1/{s}"])
        for name, value in expected.items():
            np.testing.assert_allclose(losses[s][name], value, rtol=1e-4, err_msg=f"{name} of step {s}")


def test_weights_after_three_steps_equal_tf1(parity):
    tf1, dcgan, _ = parity
    for name, variable in variables_by_name(dcgan).items():
        first, final, ours = tf1[f"init/{name}"], tf1[f"final/{name}"], variable.numpy()
        if name.endswith("moving_mean"):
            np.testing.assert_allclose(ours, final, atol=1e-3, err_msg=name)
        elif name.endswith("moving_variance"):
            np.testing.assert_allclose(ours, final, rtol=1e-3, err_msg=name)
        elif name not in NOISY:
            off, moved = np.linalg.norm(ours - final), np.linalg.norm(final - first)
            assert off < 0.015 * moved, f"{name}: {off / moved:.2%} of its way off"


def test_inference_equals_tf1(parity):
    tf1, dcgan, _ = parity
    np.testing.assert_allclose(dcgan.sample(tf1["z/0"]), tf1["sample"], atol=5e-3)
    probability, logits = dcgan.discriminator(tf1["images/0"])
    np.testing.assert_allclose(probability, tf1["d_sample"].reshape(probability.shape), atol=1e-3)
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-logits.numpy())), rtol=1e-5)


def test_variable_names_and_shapes_are_the_released_checkpoints():
    with open(os.path.join(FIXTURES, "released_variables.txt")) as file:
        released = {name: [int(n) for n in shape] for name, *shape in map(str.split, file)}
    ours = {name: variable.shape.as_list() for name, variable in variables_by_name(DCGAN()).items()}
    assert len(ours) == 48
    assert ours == released


@pytest.mark.parametrize(
    "size, expected",
    [
        (16, [4, 8]),
        (32, [4, 8, 16]),
        (64, [4, 8, 16, 32]),
        (128, [4, 8, 16, 32, 32]),
        (256, [4, 8, 16, 32, 32, 32]),
    ],
)
def test_each_image_size_has_its_layers(size, expected):
    assert layer_widths(size, 4) == expected
    dcgan = DCGAN(image_size=size, z_dim=8, gf_dim=4, df_dim=4)
    layers = len(expected)
    names = variables_by_name(dcgan)
    assert names[f"discriminator/d_h{layers - 1}_lin/Matrix"].shape == (16 * expected[-1], 1)
    assert names[f"generator/g_h{layers}/w"].shape == (5, 5, 3, 4)
    assert names["generator/g_h0_lin/Matrix"].shape == (8, 16 * expected[-1])
    generated = dcgan.generator(tf.zeros([2, 8]))
    assert generated.shape == (2, size, size, 3)
    assert dcgan.discriminator(generated)[1].shape == (2, 1)


def test_wrong_image_size_is_refused_with_the_rule():
    with pytest.raises(ValueError, match="image_size 65: must be a power of two, at least 16"):
        DCGAN(image_size=65)


def test_generator_stays_within_minus_one_and_one():
    generated = DCGAN(**TINY).sample(1000 * tf.ones([3, 8])).numpy()
    assert generated.min() >= -1
    assert generated.max() <= 1


def test_train_step_returns_the_losses_it_names():
    losses = DCGAN(**TINY).train_step(images())
    assert set(losses) == {"d_loss", "d_loss_real", "d_loss_fake", "g_loss", "d_real", "d_fake"}
    assert all(value.shape == () for value in losses.values())
    assert float(losses["d_loss"]) == pytest.approx(float(losses["d_loss_real"] + losses["d_loss_fake"]))
    assert 0 < float(losses["d_real"]) < 1


def test_discriminator_update_moves_only_the_discriminator():
    dcgan = DCGAN(**TINY)
    fake = dcgan.sample(tf.ones([4, 8]))
    generator, discriminator = values(dcgan.generator.variables), values(dcgan.discriminator.variables)
    dcgan.update_discriminator(images(), fake)
    assert not any(changed(generator, dcgan.generator.variables))
    assert all(changed(discriminator, dcgan.discriminator.variables))


def test_generator_update_moves_only_the_generators_weights():
    dcgan = DCGAN(**TINY)
    generator = values(dcgan.generator.trainable_variables)
    discriminator = values(dcgan.discriminator.trainable_variables)
    with tf.GradientTape() as tape:
        fake = dcgan.generator(dcgan.draw_z(4, 0), training=True)
    dcgan.update_generator(fake, tape)
    assert all(changed(generator, dcgan.generator.trainable_variables))
    assert not any(changed(discriminator, dcgan.discriminator.trainable_variables))


@pytest.mark.parametrize("g_steps", [1, 2, 3])
def test_train_step_updates_discriminator_once_and_generator_g_steps_times(g_steps):
    dcgan = DCGAN(**TINY, g_steps=g_steps)
    dcgan.train_step(images())
    assert (int(dcgan.d_optim.iterations), int(dcgan.g_optim.iterations)) == (1, g_steps)


def test_moving_averages_move_three_and_four_times_a_batch():
    # With nothing learned, G's statistics stay the same: three moves leave 0.9^3 of the initial 1
    dcgan = DCGAN(**TINY, learning_rate=1e-30)
    z = dcgan.draw_z(4, 0)
    dcgan.train_step(images(), z)
    h = tf.reshape(dcgan.generator.h0(z), [-1, 8]).numpy()
    np.testing.assert_allclose(dcgan.generator.norms[0].moving_variance, 0.9**3 + (1 - 0.9**3) * h.var(0), rtol=1e-5)

    def variance(x):
        h = dcgan.discriminator.convs[0](x)
        return dcgan.discriminator.convs[1](tf.maximum(h, 0.2 * h)).numpy().reshape(-1, 8).var(0)

    moving = 0.9 + 0.1 * variance(images())
    for _ in range(3):
        moving = 0.9 * moving + 0.1 * variance(dcgan.generator(z, training=True))
    np.testing.assert_allclose(dcgan.discriminator.norms[0].moving_variance, moving, rtol=1e-5)


def test_one_compiled_step_serves_every_batch():
    dcgan = DCGAN(**TINY)
    for seed in range(3):
        dcgan.train_step(images(seed=seed))
    assert dcgan.compiled_update.experimental_get_tracing_count() == 1


def test_z_is_uniform_and_a_function_of_seed_and_step():
    dcgan = DCGAN(**TINY, seed=3)
    z = dcgan.draw_z(500, 7).numpy()
    assert (z == DCGAN(**TINY, seed=3).draw_z(500, 7).numpy()).all()
    assert (z[:100] != dcgan.draw_z(100, 8).numpy()).all()
    assert (z[:100] != DCGAN(**TINY, seed=4).draw_z(100, 7).numpy()).all()
    assert -1 <= z.min() < -0.99 and 0.99 < z.max() < 1
    assert abs(z.var() - 1 / 3) < 0.02


def test_train_step_draws_the_z_of_its_step():
    ours, given = DCGAN(**TINY), DCGAN(**TINY)
    for step in range(2):
        a, b = ours.train_step(images()), given.train_step(images(), given.draw_z(4, step))
        assert {name: float(value) for name, value in a.items()} == {name: float(value) for name, value in b.items()}


def test_average_follows_the_generator_and_draws_the_samples():
    dcgan, plain = DCGAN(**TINY, ema=0.3), DCGAN(**TINY)
    expected = values(dcgan.generator.variables)
    for step in range(1, 6):
        dcgan.train_step(images(seed=step)), plain.train_step(images(seed=step))
        decay = min(0.3, (1 + step) / (10 + step))  # 0.3 from the third on
        expected = [
            decay * mean + (1 - decay) * value for mean, value in zip(expected, values(dcgan.generator.variables))
        ]
    for mean, value in zip(dcgan.g_ema.variables, expected):
        np.testing.assert_allclose(mean, value, atol=1e-6, err_msg=mean.name)
    z = dcgan.draw_z(4, 0)
    np.testing.assert_array_equal(dcgan.sample(z), dcgan.g_ema(z))
    np.testing.assert_array_equal(dcgan.generator(z), plain.generator(z))  # training itself is as without
    np.testing.assert_array_equal(plain.sample(z), plain.generator(z))


def test_same_seed_gives_the_same_weights():
    one, same, other = (values(DCGAN(**TINY, seed=seed).generator.variables) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other))


def test_adam_equals_its_formula():
    x = tf.Variable([1.0, -2.0])
    adam = Adam([x], learning_rate=0.01, beta1=0.5)
    expected, m, v = np.array([1.0, -2.0]), 0.0, 0.0
    for t in range(1, 4):
        grad = np.array([0.3 * t, 1e-4])
        adam.apply([tf.constant(grad, tf.float32)])
        m, v = 0.5 * m + 0.5 * grad, 0.999 * v + 0.001 * grad**2
        expected -= 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.5**t) * m / (np.sqrt(v) + 1e-8)
    np.testing.assert_allclose(x, expected, rtol=1e-5)


def test_each_optimizer_has_its_own_learning_rate():
    dcgan = DCGAN(**TINY, learning_rate=1e-3, d_learning_rate=1e-4)
    assert (dcgan.d_optim.learning_rate, dcgan.g_optim.learning_rate) == (1e-4, 1e-3)


def test_gray_images_train():
    dcgan = DCGAN(**TINY, c_dim=1)
    assert np.isfinite(float(dcgan.train_step(images(channels=1))["d_loss"]))


def test_bfloat16_gives_losses_close_to_float32_and_keeps_its_state_in_float32():
    z = DCGAN(**TINY).draw_z(8, 0)
    single, brain = (DCGAN(**TINY, precision=precision) for precision in ("float32", "bfloat16"))
    for step in range(3):
        a, b = single.train_step(images(8, seed=step), z), brain.train_step(images(8, seed=step), z)
        for name in a:
            assert b[name].dtype == tf.float32
            np.testing.assert_allclose(a[name], b[name], rtol=0.05, err_msg=name)
    assert all(v.dtype in (tf.float32, tf.int64) for v in brain.variables)
    assert brain.sample(z).dtype == tf.float32
    assert not np.array_equal(single.sample(z), brain.sample(z)), "bfloat16 was not used"


def test_xla_gives_the_same_losses():
    z = DCGAN(**TINY).draw_z(4, 0)
    plain, compiled = (DCGAN(**TINY, xla=xla).train_step(images(), z) for xla in (False, True))
    for name in plain:
        np.testing.assert_allclose(plain[name], compiled[name], rtol=1e-4, err_msg=name)


def test_update_would_run_on_a_gpu_without_waiting_for_the_host(monkeypatch):
    """Every op has a kernel there, and none takes from the host what a kernel computed."""
    monkeypatch.setattr("kernels._on_cpu", lambda: False)
    update = DCGAN(z_dim=8, gf_dim=4, df_dim=4).compiled_update
    graph = update.get_concrete_function(tf.TensorSpec([4, 64, 64, 3]), tf.TensorSpec([4, 8])).graph
    names = {op.type for op in graph.get_operations()}
    assert {"Conv2D", "Conv2DBackpropFilter", "FusedBatchNormV3", "ResourceApplyAdam"} <= names
    for name in names:
        registered = get_registered_kernels_for_op(name).kernel
        assert any(kernel.device_type in ("GPU", "DEFAULT") for kernel in registered), name
    assert not names & {"PyFunc", "EagerPyFunc", "Print", "PrintV2", "Assert", "Where"}  # which wait for the host


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31 - 1), step=st.integers(0, 10**9), batch=st.integers(1, 9))
def test_any_steps_z_is_a_function_of_seed_and_step(seed, step, batch):
    a, b = DCGAN(**TINY, seed=seed), DCGAN(**TINY, seed=seed, precision="bfloat16", g_steps=1)
    z = a.draw_z(batch, step).numpy()
    np.testing.assert_array_equal(z, b.draw_z(batch, tf.constant(step, tf.int64)))
    assert z.shape == (batch, 8) and z.min() >= -1 and z.max() < 1
    for other in a.draw_z(batch, step + 1), DCGAN(**TINY, seed=seed ^ 1).draw_z(batch, step):
        assert not np.array_equal(z, other)
