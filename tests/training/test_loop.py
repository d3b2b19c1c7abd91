import dataclasses
import functools
import glob
import os
import re
import shutil
import time

import numpy as np
import pytest
import tensorflow as tf
from conftest import FIXTURES, TF1, load_model
from PIL import Image
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

import utils
from errors import NotFiniteError, UserError
from runs import files
from sampling import latents
from training import loop, state


def names(folder):
    return sorted(os.listdir(folder))


def events(log_dir):
    accumulator = EventAccumulator(
        log_dir, size_guidance={"tensors": 0}, tensor_size_guidance={"images": 0, "scalars": 0, "histograms": 0}
    )
    return accumulator.Reload()


def weights(config, step):
    reader = tf.train.load_checkpoint(os.path.join(config.checkpoint_dir, f"DCGAN.model-{step}"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if "_CHECKPOINT" not in name}


def test_run_leaves_samples_logs_and_checkpoints(tiny, capsys):
    config = tiny(epoch=2, sample_every=4, checkpoint_every=5)
    assert loop.train(config, "a test") == 0
    grids = ["train_00_0003.png", "train_01_0001.png", "train_01_0005.png"]
    assert names(config.sample_dir) == ["index.html", "real.png", *grids]
    assert files.latest_steps(config.checkpoint_dir) == [5, 10, 12]
    with Image.open(os.path.join(config.sample_dir, "train_01_0005.png")) as grid:
        assert grid.size == (128, 128)
    printed = capsys.readouterr().out
    assert "26 images" in printed and "6 batches of 4 per epoch" in printed
    assert "training in float32 on a test" in printed
    assert "Epoch: [ 0] [   0/   6] time: " in printed and "Epoch: [ 1] [   5/   6] time: " in printed
    assert "samples/train_01_0005.png" in printed.splitlines()[-2]
    assert printed.splitlines()[-1].endswith(f"tensorboard --logdir {config.log_dir} --samples_per_plugin images=200")


def test_tensorboard_gets_every_tag_from_the_first_batch_on(tiny):
    config = tiny(sample_every=3)
    loop.train(config)
    log = events(config.log_dir)
    tags = {
        "d_loss",
        "d_loss_real",
        "d_loss_fake",
        "g_loss",
        "d_real",
        "d_fake",
        "images_per_second",
        "z",
        "d",
        "d_",
    }
    assert set(log.Tags()["tensors"]) == tags | {"G", "real", "settings", "custom_scalars__config__"}
    assert all(log.SummaryMetadata(tag).summary_description for tag in tags | {"G"})
    assert b"| --gf_dim | 4 |" in log.Tensors("settings")[0].tensor_proto.string_val[0]
    for tag in tags:
        assert [event.step for event in log.Tensors(tag)] == [1, 2, 3, 4, 5, 6], tag
    assert [event.step for event in log.Tensors("G")] == [3, 6]
    assert all(tf.make_ndarray(event.tensor_proto) > 0 for event in log.Tensors("d_loss"))


def test_log_every_skips_batches_but_not_the_first_and_the_last(tiny):
    config = tiny(log_every=3)
    loop.train(config)
    assert [event.step for event in events(config.log_dir).Tensors("g_loss")] == [1, 4, 6]


def test_resume_gives_bit_for_bit_what_an_uninterrupted_run_gives(tiny, tmp_path, capsys):
    whole = tiny(epoch=2, flip=True)
    loop.train(whole)
    folders = dict(checkpoint_dir=str(tmp_path / "c2"), sample_dir=str(tmp_path / "s2"), log_dir=str(tmp_path / "l2"))
    parts = dataclasses.replace(whole, **folders)
    loop.train(dataclasses.replace(parts, epoch=1))
    capsys.readouterr()
    assert loop.train(parts) == 0
    assert "epoch 1, batch 0 of 6" in capsys.readouterr().out
    expected, ours = weights(whole, 12), weights(parts, 12)
    assert expected.keys() == ours.keys() and len(ours) > 60
    for name, value in expected.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    last = "train_01_0005.png"
    with (
        open(os.path.join(whole.sample_dir, last), "rb") as a,
        open(os.path.join(parts.sample_dir, last), "rb") as b,
    ):
        assert a.read() == b.read()
    assert [event.step for event in events(parts.log_dir).Tensors("d_loss")] == list(range(1, 13))


def test_a_run_from_before_the_packages_restores_bit_for_bit_and_continues(tiny, tmp_path, capsys):
    """Its checkpoint was written when all modules lay flat at the top."""
    shutil.copytree(os.path.join(FIXTURES, "run_before_packages"), tmp_path / "c")
    folders = dict(checkpoint_dir=str(tmp_path / "c"), sample_dir=str(tmp_path / "s"), log_dir=str(tmp_path / "l"))
    config = tiny(**folders, epoch=2, flip=True, ema=0.9, deterministic=True)
    opened = loop.open_run(config, loop.open_data(config), loop.Replicas(config.batch_size))
    assert (opened.step, opened.position) == (6, 6)
    opened.checkpoints.save(7)
    opened.checkpoints.lock.close()
    before, now = weights(config, 6), weights(config, 7)
    assert before.keys() == now.keys() and len(before) == 80
    for name, value in before.items():
        np.testing.assert_array_equal(now[name], value, err_msg=name)
    assert loop.train(dataclasses.replace(config, step=6)) == 0
    assert "DCGAN.model-6: epoch 1, batch 0 of 6" in capsys.readouterr().out


def test_average_of_the_weights_is_resumed_and_loaded(tiny, tmp_path):
    config = tiny(epoch=2, ema=0.9)
    loop.train(config)
    folders = dict(checkpoint_dir=str(tmp_path / "c2"), sample_dir=str(tmp_path / "s2"), log_dir=str(tmp_path / "l2"))
    parts = dataclasses.replace(config, **folders)
    loop.train(dataclasses.replace(parts, epoch=1))
    loop.train(parts)
    expected, ours = weights(config, 12), weights(parts, 12)
    assert sum("g_ema" in name for name in expected) == 14
    for name, value in expected.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    dcgan, _ = load_model(config.checkpoint_dir)
    last = Image.open(os.path.join(config.sample_dir, "train_01_0005.png"))
    grid = utils.merge(utils.inverse_transform(dcgan.sample(expected["sample_z/.ATTRIBUTES/VARIABLE_VALUE"])))
    np.testing.assert_allclose(np.asarray(last, int), grid, atol=1)
    with pytest.raises(UserError, match=r"--ema: 0\.9 before, not given now"):
        loop.train(dataclasses.replace(config, ema=None))


def test_batches_redone_after_a_kill_supersede_their_logs(tiny):
    config = tiny(epoch=2, checkpoint_every=4)
    loop.train(config)
    for path in glob.glob(os.path.join(config.checkpoint_dir, "DCGAN.model-12.*")):
        os.remove(path)  # as if it had been killed after batch 12, with 8 the last checkpoint
    time.sleep(1.1)  # TensorBoard reads the files of a folder by the second in their names
    loop.train(config)
    log = events(config.log_dir)
    for tag in "d_loss", "z":
        assert [event.step for event in log.Tensors(tag)] == list(range(1, 13))


def test_finished_run_says_so_and_changes_nothing(tiny, capsys):
    config = tiny()
    loop.train(config)
    before = names(config.log_dir), names(config.sample_dir), names(config.checkpoint_dir)
    capsys.readouterr()
    assert loop.train(config) == 0
    assert "1 epochs are done; a larger --epoch, such as 6, continues the run" in capsys.readouterr().out
    assert before == (names(config.log_dir), names(config.sample_dir), names(config.checkpoint_dir))


def test_changed_rates_are_told_and_used(tiny, capsys):
    config = tiny()
    loop.train(config)
    loop.train(dataclasses.replace(config, epoch=2, learning_rate=1e-3))
    printed = capsys.readouterr().out
    assert "--learning_rate: 0.0002 before, 0.001 now" in printed
    assert "--epoch: 1 before, 2 now" in printed


def test_another_runs_settings_are_refused_and_listed(tiny):
    config = tiny()
    loop.train(config)
    with pytest.raises(UserError) as error:
        loop.train(dataclasses.replace(config, gf_dim=8, seed=3, epoch=9))
    for part in ("--gf_dim: 4 before, 8 now", "--seed: 0 before, 3 now", "start a new one"):
        assert part in str(error.value)
    assert "--epoch: " not in str(error.value)


@pytest.mark.parametrize("name", ["sample_dir", "log_dir"])
def test_another_runs_samples_or_logs_are_not_mixed_in(tiny, tmp_path, name):
    config = tiny()
    loop.train(config)
    fresh = {other: str(tmp_path / f"fresh_{other}") for other in ("checkpoint_dir", "sample_dir", "log_dir")}
    del fresh[name]
    with pytest.raises(UserError, match=f"--{name} .*holds another run's files"):
        loop.train(dataclasses.replace(config, **fresh))
    assert not os.path.exists(fresh["checkpoint_dir"])


def test_run_moved_as_a_whole_goes_on(tiny, tmp_path):
    config = tiny()
    loop.train(config)
    folders = {}
    for name in ("checkpoint_dir", "sample_dir", "log_dir"):
        folders[name] = str(tmp_path / "moved" / os.path.basename(getattr(config, name)))
        os.renames(getattr(config, name), folders[name])
    assert loop.train(dataclasses.replace(config, epoch=2, **folders)) == 0


def test_step_goes_back_to_an_earlier_checkpoint(tiny, capsys):
    config = tiny(epoch=2, checkpoint_every=4)
    loop.train(config)
    expected = weights(config, 12)
    assert loop.train(dataclasses.replace(config, step=4)) == 0
    assert "DCGAN.model-4: epoch 0, batch 4 of 6" in capsys.readouterr().out
    for name, value in weights(config, 12).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_settings_reach_the_model_the_data_and_the_folders(tiny, monkeypatch):
    made = {}

    def spy(kind):
        class Spy(kind):
            @functools.wraps(kind.__init__)  # keeps the signature
            def __init__(self, *arguments, **keywords):
                super().__init__(*arguments, **keywords)
                made[kind.__name__] = self

        return Spy

    monkeypatch.setattr(state, "DCGAN", spy(state.DCGAN))
    monkeypatch.setattr(loop, "ImageData", spy(loop.ImageData))
    loop.train(
        tiny(
            image_size=32, c_dim=1, z_dim=5, gf_dim=3, df_dim=6, batch_size=2, learning_rate=0.1, g_learning_rate=0.2,
            d_learning_rate=0.3, precision="bfloat16", cache="off", max_to_keep=2,
            beta1=0.25, g_steps=1, seed=7, train_size=4, crop=40, flip=True,
        )
    )  # fmt: skip
    model, data = made["DCGAN"], made["ImageData"]
    assert model.generator.h0.matrix.shape == (5, 16 * 12)
    assert model.discriminator.convs[0].w.shape == (5, 5, 1, 6)
    assert (model.d_optim.learning_rate, model.g_optim.learning_rate) == (0.3, 0.2)
    assert (model.generator.precision, model.discriminator.precision, data.cache.size) == ("bfloat16", "bfloat16", 0)
    assert (model.d_optim.beta1, model.g_optim.beta1, model.seed) == (0.25, 0.25, 7)
    assert (int(model.d_optim.iterations), int(model.g_optim.iterations)) == (2, 2)
    assert (data.seed, data.crop, data.flip, len(data.names), data.image_size) == (7, 40, True, 4, 32)


def test_changed_number_of_images_is_told_and_the_run_goes_on(tiny, faces, tmp_path, capsys):
    folder = tmp_path / "faces"
    folder.mkdir()
    for name in sorted(os.listdir(faces)):
        os.link(os.path.join(faces, name), folder / name)
    config = tiny(dataset=str(folder))
    loop.train(dataclasses.replace(config, checkpoint_every=5, epoch=1))
    for path in glob.glob(os.path.join(config.checkpoint_dir, "DCGAN.model-6.*")):
        os.remove(path)  # so that batch 5 of 6 is next
    for name in sorted(os.listdir(folder))[9:]:
        os.remove(folder / name)  # an epoch has 2 batches now
    capsys.readouterr()
    assert loop.train(dataclasses.replace(config, epoch=2)) == 0
    printed = capsys.readouterr().out
    assert "--dataset: 26 images before, 9 now: 17 files are gone (00009.png, 00010.png, 00011.png, …)" in printed
    assert "epoch 1, batch 0 of 2" in printed


def test_a_run_may_change_its_log_folder_and_come_back(tiny, tmp_path):
    config = tiny()
    loop.train(config)
    loop.train(dataclasses.replace(config, epoch=2, log_dir=str(tmp_path / "other")))
    assert loop.train(dataclasses.replace(config, epoch=3)) == 0


def test_data_that_turns_out_bad_costs_no_training(tiny, faces, tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    for name in os.listdir(faces):
        os.link(os.path.join(faces, name), folder / name)
    config = tiny(dataset=str(folder), cache="off", epoch=2)
    loop.train(dataclasses.replace(config, epoch=1))
    for name in sorted(os.listdir(folder))[:5]:
        os.remove(folder / name)
        (folder / name).write_bytes(b"broken")
    with pytest.raises(UserError, match="do not decode"):
        loop.train(config)
    assert files.latest_steps(config.checkpoint_dir)[-1] >= 6
    with pytest.raises(UserError, match="do not decode"):  # the same again does not slip through
        loop.train(config)
    for name in sorted(os.listdir(folder))[:5]:
        os.remove(folder / name)
        os.link(os.path.join(faces, name), folder / name)
    assert loop.train(config) == 0  # mended


def test_bad_data_before_the_first_batch_leaves_no_checkpoint(tiny, tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    for k in range(4):
        (folder / f"{k}.png").write_bytes(b"broken")
    with pytest.raises(UserError, match="do not decode"):
        loop.train(tiny(dataset=str(folder)))
    assert files.latest_steps(tiny().checkpoint_dir) == []


def test_bad_data_does_not_save_numbers_gone_bad(tiny, faces, tmp_path):
    folder = copied(faces, tmp_path / "faces")
    config = tiny(dataset=folder, cache="off", log_every=1000, epoch=1)
    loop.train(config)
    data = loop.ImageData(folder, image_size=16, c_dim=3, batch_size=4, seed=0, cache="auto", max_bad=0.01)
    for index in data.order(1).flat[-4:]:  # met at the end of the epoch, when the numbers are bad
        os.remove(os.path.join(folder, data.names[index]))
        with open(os.path.join(folder, data.names[index]), "wb") as file:
            file.write(b"broken")
    with pytest.raises(NotFiniteError, match="not a finite number at step 11"):
        loop.train(dataclasses.replace(config, epoch=9, learning_rate=1e30))
    assert files.latest_steps(config.checkpoint_dir) == [6]


def test_samples_of_before_within_the_data_are_no_data(tiny, faces, tmp_path, capsys):
    folder = copied(faces, tmp_path / "faces")
    config = tiny(dataset=folder, sample_dir=os.path.join(folder, "samples"))
    loop.train(config)
    assert loop.train(dataclasses.replace(config, epoch=2, sample_dir=str(tmp_path / "other"))) == 0
    assert capsys.readouterr().out.count("26 images in") == 2


def test_folder_that_cannot_be_written_to_is_refused(tiny):
    with pytest.raises(UserError, match="--log_dir /proc/self: can't be written to"):
        loop.train(tiny(log_dir="/proc/self"))


def test_broken_file_is_named_at_the_end(tiny, faces, tmp_path, capsys):
    folder = tmp_path / "faces"
    folder.mkdir()
    for name in os.listdir(faces):
        os.link(os.path.join(faces, name), folder / name)
    (folder / "broken.png").write_bytes(b"broken")
    loop.train(tiny(dataset=str(folder), epoch=2))
    assert "broken.png (not an image" in capsys.readouterr().out


def copied(faces, folder):
    """The faces once more, to spoil."""
    folder.mkdir()
    for name in os.listdir(faces):
        os.link(os.path.join(faces, name), folder / name)
    return str(folder)


@pytest.mark.parametrize("saved", [True, False])
def test_numbers_gone_bad_stop_the_run_and_leave_the_last_checkpoint(tiny, saved):
    config = tiny(epoch=1, checkpoint_every=4, log_every=3)
    if saved:
        loop.train(config)
        before = weights(config, 6)
    with pytest.raises(NotFiniteError) as error:
        loop.train(dataclasses.replace(config, epoch=3, learning_rate=1e30))
    assert error.value.exit_code == 3
    step = int(re.search(r"not a finite number at step (\d+): ", str(error.value))[1])
    assert step <= (6 if saved else 0) + 4  # the first after, or the second if the first was still well
    assert "a lower --learning_rate, such as 0.0001" in str(error.value)
    if not saved:
        assert "there is no checkpoint yet; start again" in str(error.value)
        assert files.latest_steps(config.checkpoint_dir) == []
        return
    assert f"last good checkpoint is {config.checkpoint_dir}/DCGAN.model-6" in str(error.value)
    assert "or from the one before with --step 4" in str(error.value)
    assert files.latest_steps(config.checkpoint_dir) == [4, 6]
    for name, value in weights(config, 6).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.parametrize("name", ["moving_variance", "w", "beta"])
def test_a_weight_that_is_not_finite_is_found_where_no_loss_tells(tiny, monkeypatch, name):
    def spoil(dcgan, *batch):
        result = whole(dcgan, *batch)
        variable = next(v for v in dcgan.generator.variables if v.name.endswith(f"{name}:0"))
        variable.assign(tf.fill(variable.shape, np.inf))
        return result

    whole = state.DCGAN.update
    monkeypatch.setattr(state.DCGAN, "update", spoil)
    config = tiny()
    with pytest.raises(NotFiniteError, match=rf"at step 1: generator/g_.*/{name}:0 is not finite"):
        loop.train(config)
    assert files.latest_steps(config.checkpoint_dir) == []


def test_broken_files_are_remembered_with_the_checkpoint(tiny, faces, tmp_path, capsys):
    folder = copied(faces, tmp_path / "faces")
    os.remove(os.path.join(folder, "00003.png"))
    with open(os.path.join(folder, "00003.png"), "wb") as file:
        file.write(b"broken")
    config = tiny(dataset=folder, max_bad=0.1)
    loop.train(config)
    os.remove(os.path.join(folder, "00003.png"))
    os.link(os.path.join(faces, "00003.png"), os.path.join(folder, "00003.png"))  # mended
    capsys.readouterr()
    loop.train(dataclasses.replace(config, epoch=2))
    printed = capsys.readouterr().out
    assert "skipped as before: " in printed
    assert printed.count("1 file does not decode: 00003.png (not an image") == 2  # at the start and at the end


def test_more_broken_files_than_allowed_stop_the_run(tiny, faces, tmp_path):
    folder = copied(faces, tmp_path / "faces")
    for name in "a.png", "b.png":
        with open(os.path.join(folder, name), "wb") as file:
            file.write(b"broken")
    assert loop.train(tiny(dataset=folder, max_bad=0.05)) == 0  # 2 of 28
    with pytest.raises(UserError, match=r"2 files do not decode: a\.png"):
        loop.train(tiny(dataset=folder, max_bad=0.03, checkpoint_dir=str(tmp_path / "c"),
                            sample_dir=str(tmp_path / "s"), log_dir=str(tmp_path / "l")))  # fmt: skip


def test_what_the_run_writes_is_not_taken_for_its_data(tiny, faces, tmp_path, capsys):
    folder = copied(faces, tmp_path / "faces")
    config = tiny(dataset=folder, sample_dir=os.path.join(folder, "samples"), checkpoint_dir=os.path.join(folder, "c"))
    loop.train(config)
    assert loop.train(dataclasses.replace(config, epoch=2)) == 0
    printed = capsys.readouterr().out
    assert printed.count("26 images in") == 2 and "--dataset:" not in printed
    with pytest.raises(UserError, match=r"--sample_dir .*faces/\.: is the folder of the images"):
        tiny(dataset=folder, sample_dir=folder + "/.")


def test_half_written_pictures_of_a_killed_run_are_cleared(tiny):
    config = tiny(epoch=1)
    loop.train(config)
    for name in "train_00_0099.png.partial", "real.png.partial", "mine.png.partial":
        with open(os.path.join(config.sample_dir, name), "wb"):
            pass
    loop.train(dataclasses.replace(config, epoch=2))
    assert [name for name in names(config.sample_dir) if name.endswith(".partial")] == ["mine.png.partial"]


def test_a_run_starts_from_the_weights_of_a_tf1_checkpoint(tiny, capsys):
    before = sorted(os.listdir(TF1))
    config = tiny(init_from=TF1, image_size=64, learning_rate=1e-30)
    assert loop.train(config) == 0
    assert "from the weights of" in capsys.readouterr().out
    dcgan, _ = load_model(config.checkpoint_dir)
    theirs, _ = load_model(TF1)
    np.testing.assert_allclose(dcgan.generator.convs[0].w, theirs.generator.convs[0].w, atol=1e-7)
    assert sorted(os.listdir(TF1)) == before
    assert loop.train(dataclasses.replace(config, epoch=2)) == 0  # the same command goes on
    out = capsys.readouterr().out
    assert "resuming from" in out and f"--init_from {TF1}: not read again" in out


def test_a_run_starts_from_the_weights_of_another_run(tiny, tmp_path):
    config = tiny()
    loop.train(config)
    folders = {f"{kind}_dir": str(tmp_path / f"other_{kind}") for kind in ("checkpoint", "sample", "log")}
    other = dataclasses.replace(config, init_from=config.checkpoint_dir, learning_rate=1e-30, **folders)
    loop.train(other)
    first, second = (load_model(c.checkpoint_dir)[0] for c in (config, other))
    np.testing.assert_allclose(first.generator.convs[0].w, second.generator.convs[0].w, atol=1e-7)


def test_weights_of_another_network_are_refused_with_the_flags_that_fit(tiny):
    with pytest.raises(UserError, match="is of another network; give --gf_dim 4 --df_dim 4"):
        loop.train(tiny(init_from=TF1, image_size=64, gf_dim=8, df_dim=8))
    with pytest.raises(UserError, match="--init_from nowhere: no such folder"):
        loop.train(tiny(init_from="nowhere"))


@pytest.mark.parametrize("wrong", ["missing", "misshapen"])
def test_tf1_checkpoint_with_a_missing_or_misshapen_variable_is_refused_in_two_lines(tmp_path, wrong):
    reader = tf.train.load_checkpoint(TF1)
    names = sorted(reader.get_variable_to_shape_map())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for name in names:
            value = reader.get_tensor(name)
            if name == "discriminator/d_bn1/beta" and wrong == "misshapen":
                value = value[:2]
            if name != "discriminator/d_bn1/beta" or wrong != "missing":
                tf.compat.v1.get_variable(name, initializer=value)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(tmp_path / "DCGAN.model"), 3)
    with pytest.raises(UserError) as error:
        load_model(str(tmp_path))
    assert "does not fit the network. It holds " in str(error.value)
    assert ("discriminator/d_bn1/beta [2]" in str(error.value)) == (wrong == "misshapen")
    assert "where the network has discriminator/d_bn1/beta [8]" in str(error.value)
    assert str(error.value).count("\n") == 1


def test_with_lr_decay_the_rates_fall_and_the_weights_move_less(tiny, capsys):
    def moves(**changes):
        """How far the generator's first weights move in each of 12 batches."""
        config, steps, weights = tiny(epoch=2, **changes), [], []
        data = loop.open_data(config)
        replicas = loop.Replicas(config.batch_size)
        opened = loop.open_run(config, data, replicas)
        rate = functools.partial(loop.rate_factor, config.lr_decay, last=12)
        for inputs in replicas.inputs(opened.dcgan, data, 0, 12, rate=rate):
            weights.append(opened.dcgan.generator.h0.matrix.numpy())
            replicas.train_step(opened.dcgan, *inputs)
            steps.append(np.abs(opened.dcgan.generator.h0.matrix.numpy() - weights[-1]).mean())
            opened.advance()
        opened.checkpoints.lock.close()
        return np.array(steps)

    constant = moves()
    falling = moves(lr_decay=0.5)
    np.testing.assert_array_equal(falling[:7], constant[:7])  # they fall after the first half
    assert (np.diff((falling / constant)[6:]) < 0).all() and falling[-1] < 0.3 * constant[-1]


def test_a_resume_says_what_another_epoch_does_to_falling_rates(tiny, capsys):
    loop.train(tiny(epoch=1, lr_decay=1.0))
    capsys.readouterr()
    loop.train(tiny(epoch=2, lr_decay=1.0))
    assert "learning rates: 50% of their values here, 0 at the end of --epoch 2" in capsys.readouterr().out


def test_the_fixed_z_of_a_run_is_no_picture_of_its_seed(tiny):
    config = tiny()
    opened = loop.open_run(config, loop.open_data(config), loop.Replicas(config.batch_size))
    pictures = latents.draw(config.seed, range(64), config.z_dim)
    assert not np.isin(opened.sample_z.numpy(), pictures).any()
    opened.checkpoints.lock.close()


def test_the_start_says_how_many_batches_there_will_be_and_what_helps_where_they_are_few(tiny):
    few = list(loop.outlook(tiny(epoch=20), 352, 5))
    assert few[0] == "100 batches in all, in 20 epochs"
    assert "352 images are few" in few[1] and "--init_from" in few[1]
    assert "100 batches from scratch end in blurred patches" in few[2] and "--epoch 200 or more" in few[2]
    assert len(list(loop.outlook(tiny(epoch=20), 13_000, 203))) == 1
    assert len(list(loop.outlook(tiny(epoch=20, init_from="checkpoints/faces"), 352, 5))) == 1


def test_a_checkpoints_grid_is_there_before_it(tiny, monkeypatch):
    def slow(pixels, path):
        time.sleep(0.3)
        save_image(pixels, path)

    def noting(self, step):
        there.append(sorted(os.path.basename(path) for path in glob.glob(f"{config.sample_dir}/train_*")))
        save(self, step)

    save_image, save, there = state.utils.save_image, state.Checkpoints.save, []
    monkeypatch.setattr(state.utils, "save_image", slow)
    monkeypatch.setattr(state.Checkpoints, "save", noting)
    config = tiny(sample_every=2, checkpoint_every=2)
    loop.train(config)  # 6 batches
    assert there == [["train_00_0001.png", "train_00_0003.png", "train_00_0005.png"][:n] for n in (1, 2, 3)]
