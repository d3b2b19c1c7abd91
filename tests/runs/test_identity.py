"""Data sets are the same by content, under whatever names."""

import json
import os
import shutil

import pytest

from errors import UserError
from photos import collection, demo
from photos.names import Names
from runs import files, identity
from training import loop


def copy(faces, folder, rename=lambda name: name):
    os.makedirs(folder)
    for name in os.listdir(faces):
        shutil.copy(os.path.join(faces, name), os.path.join(folder, rename(name)))
    return str(folder)


@pytest.fixture
def other_faces(tmp_path):
    """Other faces under the same names as those of `faces`."""
    demo.write_faces(tmp_path / "other", 26, seed=9)
    return str(tmp_path / "other")


@pytest.fixture
def run(tiny):
    """The settings of a finished run of one epoch."""
    config = tiny()
    loop.train(config)
    return config


@pytest.mark.parametrize("epoch", [1, 2])  # with the same one there was "nothing to do"
def test_another_data_set_under_the_same_names_is_refused_and_nothing_is_lost(run, tiny, other_faces, epoch):
    before = sorted(os.listdir(run.checkpoint_dir))
    with pytest.raises(UserError) as error:
        loop.train(tiny(dataset=other_faces, epoch=epoch))
    message = str(error.value)
    assert f"--dataset {other_faces}: has no image of {run.dataset}" in message
    assert f"./train-dcgan.py --dataset {other_faces}" in message and "--name other" in message
    assert f"--init_from {run.checkpoint_dir}" in message
    assert sorted(os.listdir(run.checkpoint_dir)) == before


@pytest.mark.parametrize(
    "rename", [lambda name: name, lambda name: f"renamed_{name}"], ids=["a moved folder", "renamed files"]
)
def test_the_same_images_elsewhere_go_on(run, tiny, faces, tmp_path, rename, capsys):
    capsys.readouterr()
    assert loop.train(tiny(dataset=copy(faces, tmp_path / "moved", rename), epoch=2)) == 0
    assert "resuming from" in capsys.readouterr().out


def test_added_and_missing_images_go_on(run, tiny, faces, other_faces, tmp_path, capsys):
    folder = copy(faces, tmp_path / "changed")
    for name in sorted(os.listdir(folder))[:20]:
        os.remove(os.path.join(folder, name))
    copy(other_faces, os.path.join(folder, "more"))
    capsys.readouterr()
    assert loop.train(tiny(dataset=folder, epoch=2)) == 0
    assert "20 files are gone" in capsys.readouterr().out


@pytest.mark.parametrize("same_names", [True, False])
def test_a_run_from_before_falls_back_to_names(run, tiny, other_faces, tmp_path, same_names):
    os.remove(os.path.join(run.checkpoint_dir, files.IDENTITY))
    if same_names:
        assert loop.train(tiny(dataset=other_faces, epoch=2)) == 0
        return
    with pytest.raises(UserError, match="has no image of"):
        loop.train(tiny(dataset=copy(other_faces, tmp_path / "b", lambda name: f"b{name}"), epoch=2))


def test_the_printed_command_starts_the_other_data_set(run, tiny, other_faces, tmp_path, monkeypatch):
    from conftest import load_script

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        loop.train(tiny(dataset=other_faces))
    command = next(line for line in str(error.value).splitlines() if "./train-dcgan.py" in line).split()
    load_script("train-dcgan.py").main(command[1:])
    assert files.latest_steps("checkpoints/other") == [6]
    assert os.path.exists("samples/other/real.png") and os.listdir("logs/other")


def test_some_hundred_files_are_remembered_and_a_few_kept_ones_are_believed(tmp_path):
    names = [f"{i:04d}.png" for i in range(1000)]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    photos = collection.find(str(tmp_path))
    known, listed = identity.fingerprints(photos), identity.summary(photos.names)
    assert 200 <= len(known) <= identity.FILES
    kept = [index for index, name in enumerate(names) if name not in known][:3]
    assert identity.share_images(known, listed, photos.take(kept))
    assert not identity.share_images(known, listed, photos.take([]))


def test_an_images_json_of_another_program_is_refused_in_words(run, tiny):
    with open(os.path.join(run.checkpoint_dir, files.IMAGES), "w") as file:
        file.write("{}")
    with pytest.raises(UserError, match=r"images.json: was not written by this program"):
        loop.train(tiny(epoch=2))


def test_files_that_came_and_went_are_told_by_name():
    told = identity.difference(identity.summary(Names("abc")), Names("bcdefg"))
    assert told == "3 images before, 6 now: 1 file is gone (a), 4 files are new (d, e, f, …)"


def test_of_very_many_images_only_some_names_are_kept(monkeypatch):
    monkeypatch.setattr(identity, "NAMED", 10)
    names = Names(f"{i:03d}.png" for i in range(100))
    before = identity.summary(names)
    assert (before["count"], len(before["names"])) == (100, 10)
    assert identity.difference(before, names) is None
    said = identity.difference(before, names[5:])
    assert said == "100 images before, 95 now; of 10 whose names were kept: 1 file is gone (000.png)"
    said = identity.difference(before, Names([*names, "new.png"]))
    assert said == "100 images before, 101 now; of 10 whose names were kept: none is gone"


def test_an_images_json_of_an_older_version_is_still_read(run, tiny, capsys):
    path = os.path.join(run.checkpoint_dir, files.IMAGES)
    with open(path) as file:
        names = json.load(file)["names"]
    with open(path, "w") as file:
        json.dump([*names, "zzz.png"], file)
    assert loop.train(tiny(epoch=2)) == 0
    assert "27 images before, 26 now: 1 file is gone (zzz.png)" in capsys.readouterr().out
