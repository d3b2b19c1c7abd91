import dataclasses

import pytest
from conftest import as_flags, load_script

from errors import UserError
from training.settings import TrainSettings

script = load_script("train-dcgan.py")


def parsed(*arguments):
    options = script.parse(["--dataset", "d", *map(str, arguments)])
    del options["check"], options["name"]
    return TrainSettings(**options)


def test_defaults_are_the_originals():
    config = parsed()
    expected = dict(epoch=25, learning_rate=2e-4, beta1=0.5, batch_size=64, image_size=64, sample_dir="samples")
    expected |= dict(train_size=None, z_dim=100, gf_dim=64, df_dim=64, c_dim=3, g_steps=2)
    expected |= dict(checkpoint_dir="checkpoints", log_dir="logs", dataset="d", max_to_keep=3)
    expected |= dict(sample_every=100, checkpoint_every=500)
    assert dataclasses.asdict(config).items() >= expected.items()


def test_every_flag_sets_its_setting():
    given = dict(
        dataset="d", train_size=7, hold_out=8, partition="val", crop=108, flip=True, epoch=3, batch_size=5,
        learning_rate=0.1, d_learning_rate=0.2, lr_decay=0.5, g_learning_rate=0.3, beta1=0.4, g_steps=1, ema=0.9,
        seed=9, deterministic=True, image_size=32, c_dim=1, z_dim=11, gf_dim=12, df_dim=13, checkpoint_dir="c",
        sample_dir="s", log_dir="l", cache="off", max_bad=0.5, init_from="i", devices="CPU:0", precision="bfloat16",
        xla=True, sample_every=14, checkpoint_every=15, log_every=16, evaluate_every=19, max_to_keep=17, step=18,
    )  # fmt: skip
    config = TrainSettings(**given)
    assert dataclasses.asdict(config) == given, "a new setting belongs in this test"
    assert parsed(*as_flags(config)) == config


def test_a_preset_sets_what_no_flag_sets():
    chosen = dict(gf_dim=32, df_dim=32, flip=True, ema=0.999, lr_decay=0.5, precision="auto")
    assert parsed("--preset", "faces") == TrainSettings(dataset="d", **chosen)
    given = dict(gf_dim=64, ema=0.99, epoch=7)  # 64 is the flag's own default, which must win too
    arguments = [word for name, value in given.items() for word in (f"--{name}", value)]
    assert parsed(*arguments, "--preset", "faces") == TrainSettings(dataset="d", **(chosen | given))
    assert parsed("--preset", "faces", "--no_flip") == TrainSettings(dataset="d", **(chosen | dict(flip=False)))
    assert parsed("--no_flip") == TrainSettings(dataset="d")


def test_an_unknown_preset_is_refused():
    with pytest.raises(UserError, match="--preset good: must be one of faces"):
        parsed("--preset", "good")


@pytest.mark.parametrize(
    "flag, value, valid",
    [
        ("epoch", "0", "a whole number of at least 1"),
        ("epoch", "1.5", "a whole number of at least 1"),
        ("batch_size", "-3", "a whole number from 1 to 65536"),
        ("z_dim", "99999999999999999999", "a whole number from 1 to 65536"),
        ("sample_dir", "", "the name of a folder, in UTF-8"),
        (
            "checkpoint_dir",
            "a[b]",
            "the name of a folder, in UTF-8, without [ and \\, which TensorFlow reads as a pattern",
        ),
        ("sample_dir", "gs://bucket/samples", "the name of a folder, in UTF-8"),
        ("log_dir", "\udcff", "the name of a folder, in UTF-8"),
        ("max_bad", "1.5", "a number from 0 to 1"),
        ("image_size", "65", "one of 16, 32, 64, 128, 256"),
        ("c_dim", "4", "one of 1, 3"),
        ("learning_rate", "0", "a number above 0"),
        ("learning_rate", "nan", "a number above 0"),
        ("g_learning_rate", "inf", "a number above 0"),
        ("beta1", "1", "a number from 0 to below 1"),
        ("max_to_keep", "1", "a whole number of at least 2"),
        ("seed", "-1", "a whole number from 0 to 2147483647"),
        ("precision", "float16", "one of float32, bfloat16, auto"),
        ("cache", "yes", "one of auto, on, off"),
        ("crop", "x", "a whole number of at least 1"),
        ("step", "0", "a whole number of at least 1"),
    ],
)
def test_bad_value_is_refused_with_flag_value_and_remedy(flag, value, valid):
    with pytest.raises(UserError) as error:
        parsed(f"--{flag}", value)
    assert str(error.value).startswith(f"--{flag} {value}")
    assert str(error.value).endswith(f": must be {valid}")


def test_every_setting_has_help():
    assert all(len(field.metadata["help"]) > 5 for field in dataclasses.fields(TrainSettings))


@pytest.mark.parametrize("name", "image_size z_dim gf_dim df_dim c_dim seed batch_size train_size crop flip".split())
def test_settings_that_define_a_run_may_not_change(name):
    config = TrainSettings(dataset="d")
    saved = dataclasses.asdict(config) | {name: 123456}
    defining, allowed = config.compare(saved)
    assert (len(defining), len(allowed)) == (1, 0)
    assert f"--{name}" in defining[0] and "123456" in defining[0]


def test_another_dataset_is_told(tmp_path):
    _, allowed = TrainSettings(dataset="b").compare(dataclasses.asdict(TrainSettings(dataset="a")))
    assert len(allowed) == 1 and allowed[0].startswith("--dataset: /")


@pytest.mark.parametrize("name", "epoch learning_rate d_learning_rate beta1 sample_every checkpoint_every".split())
def test_rates_epochs_and_intervals_may_change_and_are_told(name):
    config = TrainSettings(dataset="d")
    defining, allowed = config.compare(dataclasses.asdict(config) | {name: 123456})
    assert (len(defining), len(allowed)) == (0, 1)
    assert f"--{name}: 123456 before" in allowed[0]


def test_the_models_own_defaults_are_those_of_the_flags():
    """model.py stands alone, as the article's does, so it repeats them."""
    import inspect

    from model import DCGAN

    parameters = inspect.signature(DCGAN).parameters.values()
    own = {p.name: p.default for p in parameters if p.name in TrainSettings.__dataclass_fields__}
    assert own == TrainSettings().keywords_of(DCGAN) and len(own) == 14


def test_a_method_does_not_become_a_keyword():
    """keywords_of looks at fields alone: a parameter named like a method gets nothing."""
    assert TrainSettings().keywords_of(lambda seed, outputs, compare: None) == {"seed": 0}
