"""Checkpoints of the original repositories' heads, written by TF1 graphs built here."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from conftest import TF1, load_model, load_script

from errors import DamagedError, UserError
from training import loop
from training.settings import TrainSettings

v1 = tf.compat.v1
GF, DF, Z = 4, 3, 8
HEADS = {  # the generator's channels from 4x4 to 32x32, the first number of D's norms, the number of D's linear layer
    "bamos": ([GF * 8, GF * 8, GF * 4, GF * 2], 0, 4),
    "carpedm20": ([GF * 8, GF * 4, GF * 2, GF], 1, 4),
}


def variable(name, shape):
    return v1.get_variable(name, shape, initializer=v1.random_normal_initializer(stddev=0.1, seed=len(name)))


def batch_norm(x, name, training):
    with v1.variable_scope(name):
        dim = x.shape[-1]
        beta = v1.get_variable("beta", [dim], initializer=v1.zeros_initializer())
        gamma = v1.get_variable("gamma", [dim], initializer=v1.ones_initializer())
        mean = v1.get_variable("moving_mean", [dim], initializer=v1.zeros_initializer(), trainable=False)
        variance = v1.get_variable("moving_variance", [dim], initializer=v1.ones_initializer(), trainable=False)
        if not training:
            return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-5)
        now = tf.nn.moments(x, [0, 1, 2])
        moves = [average.assign_sub(0.1 * (average - value)) for average, value in zip((mean, variance), now)]
        with tf.control_dependencies(moves):
            return tf.nn.batch_normalization(x, *now, beta, gamma, 1e-5)


def linear(x, out, name):
    with v1.variable_scope(name):
        return x @ variable("Matrix", [x.shape[-1], out]) + variable("bias", [out])


def generator(z, widths, training):
    with v1.variable_scope("generator", reuse=v1.AUTO_REUSE):
        h = tf.reshape(linear(z, 16 * widths[0], "g_h0_lin"), [-1, 4, 4, widths[0]])
        for i, out in enumerate([*widths[1:], 3]):
            h = tf.nn.relu(batch_norm(h, f"g_bn{i}", training))
            with v1.variable_scope(f"g_h{i + 1}"):
                w, side = variable("w", [5, 5, out, h.shape[-1]]), 2 * h.shape[1]
                h = tf.nn.conv2d_transpose(h, w, [z.shape[0], side, side, out], 2) + variable("biases", [out])
        return tf.nn.tanh(h)


def discriminator(images, first_norm, last, training):
    with v1.variable_scope("discriminator", reuse=v1.AUTO_REUSE):
        h = images
        for i in range(4):
            with v1.variable_scope(f"d_h{i}_conv"):
                h = tf.nn.conv2d(h, variable("w", [5, 5, h.shape[-1], DF * 2**i]), 2, "SAME")
                h = h + variable("biases", [DF * 2**i])
            h = batch_norm(h, f"d_bn{first_norm + i - 1}", training) if i else h
            h = tf.nn.leaky_relu(h, 0.2)
        return linear(tf.reshape(h, [images.shape[0], -1]), 1, f"d_h{last}_lin")


@pytest.fixture(scope="module", params=HEADS)
def head(request, tmp_path_factory):
    """A network of this head after three steps of Adam -> (folder, z, its samples, its logits of them)."""
    widths, first_norm, last = HEADS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    z = np.random.default_rng(0).uniform(-1, 1, [4, Z]).astype(np.float32)
    with tf.Graph().as_default(), v1.Session() as session:
        fake = generator(tf.constant(z), widths, training=True)
        real = tf.constant(np.sin(np.arange(4 * 64 * 64 * 3, dtype=np.float32)).reshape(4, 64, 64, 3))
        real_logits = discriminator(real, first_norm, last, training=True)
        logits = discriminator(fake, first_norm, last, training=True)
        loss = tf.reduce_mean(tf.square(logits) + tf.square(real_logits - 1))
        step = v1.train.AdamOptimizer(0.01, 0.5).minimize(loss)
        samples = generator(tf.constant(z), widths, training=False)
        scores = discriminator(samples, first_norm, last, training=False)
        session.run(v1.global_variables_initializer())
        for _ in range(3):
            session.run(step)
        v1.train.Saver().save(session, str(folder / "DCGAN.model"), global_step=3)
        drawn, scored = session.run([samples, scores])
        session.run(step)
        v1.train.Saver().save(session, str(folder / "DCGAN.model"), global_step=4, latest_filename="other")
        writer = v1.train.Saver(write_version=v1.train.SaverDef.V1)
        (folder / "v1").mkdir()
        writer.save(session, str(folder / "v1" / "DCGAN.model"), global_step=4, latest_filename="checkpoint")
    return folder, z, drawn, scored


def test_a_network_of_either_head_draws_and_scores_as_its_own_graph(head):
    folder, z, drawn, scored = head
    dcgan, step = load_model(str(folder))
    assert step == 3  # as the state file says
    np.testing.assert_allclose(dcgan.sample(z), drawn, atol=1e-5)
    np.testing.assert_allclose(dcgan.discriminator(drawn)[1], scored, atol=1e-4)


def test_a_network_of_either_head_starts_a_training_that_resumes(head, tiny, capsys):
    folder = str(head[0])
    with pytest.raises(UserError, match=r"is of another network; give .*--df_dim 3"):
        loop.train(tiny(init_from=folder, image_size=64, gf_dim=64))
    listed = isinstance(load_model(folder)[0].gf_dim, list)  # widths that no flag can say
    given = dict(image_size=64, df_dim=DF, gf_dim=TrainSettings.gf_dim if listed else GF)
    config = tiny(**given, init_from=folder)
    assert loop.train(config) == 0
    dcgan, _ = load_model(config.checkpoint_dir)
    assert dcgan.gf_dim == load_model(folder)[0].gf_dim
    capsys.readouterr()
    config = tiny(**given, epoch=2)
    assert loop.train(config) == 0
    assert "resuming from" in capsys.readouterr().out


def test_step_and_the_named_folder_are_obeyed(head, tmp_path):
    folder, _, _, _ = head
    assert load_model(str(folder), step=4)[1] == 4
    with pytest.raises(UserError, match=r"--step 5: no such checkpoint .*there: 3, 4"):
        load_model(str(folder), step=5)
    for name in os.listdir(folder):  # the state file's path is absolute and leads to the other folder
        if "model-4" in name or name == "checkpoint":
            shutil.copy(folder / name, tmp_path / name)
    assert load_model(str(tmp_path))[1] == 4


@pytest.mark.parametrize("state", ["kept", "missing", "odd"])
def test_a_v1_file_is_found_and_read(head, tmp_path, state):
    folder = shutil.copytree(head[0] / "v1", tmp_path / "c")
    if state == "odd":
        (folder / "checkpoint").write_bytes(b"\xff\xfe\x00 no text")
    elif state == "missing":
        os.remove(folder / "checkpoint")
    dcgan, step = load_model(str(folder))
    same, _ = load_model(str(head[0]), step=4)
    assert step == 4
    np.testing.assert_array_equal(dcgan.sample(head[1]), same.sample(head[1]))


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.9])
def test_a_damaged_checkpoint_is_named_in_one_line(tmp_path, part, kept):
    folder = shutil.copytree(TF1, tmp_path / "c")
    path = next(folder / name for name in os.listdir(folder) if name.endswith(part))
    content = path.read_bytes()
    path.write_bytes(content[: kept if kept in (0, 10) else int(len(content) * kept)])
    with pytest.raises(DamagedError, match="can't be read as a checkpoint") as error:
        load_model(str(folder))
    assert "\n" not in str(error.value)


def test_what_is_no_dcgan_is_refused_in_two_lines(tmp_path):
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("generator/dense/w", [3, 3])
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "model"), global_step=1)
    with pytest.raises(UserError, match="not a DCGAN of the original repositories") as error:
        load_model(str(tmp_path))
    assert str(error.value).count("\n") < 2


def test_scripts_look_before_tensorflow_loads_and_name_the_runs(tmp_path, monkeypatch):
    generate = load_script("generate.py")
    monkeypatch.chdir(tmp_path)
    os.makedirs("checkpoints/demo")
    monkeypatch.setattr("devices.start.set_up", lambda: pytest.fail("loaded TensorFlow"))
    with pytest.raises(UserError, match="checkpoints: holds no network; train one first"):
        generate.main(["--checkpoint_dir", "checkpoints", "--grid", "g.png"])
    (tmp_path / "checkpoints" / "demo" / "DCGAN.model-960.index").touch()
    with pytest.raises(UserError, match=r"holds no network; there is --name demo \(step 960\)"):
        generate.main(["--grid", "g.png"])
