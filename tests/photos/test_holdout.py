import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import UserError
from photos import demo, holdout
from runs import files
from training import loop
from training.settings import TrainSettings


@pytest.mark.parametrize(
    "path, person",
    [
        ("Aaron_Eckhart/Aaron_Eckhart_0001.jpg", "Aaron_Eckhart"),
        ("Aaron_Eckhart__Aaron_Eckhart_0001.jpg.png", "Aaron_Eckhart"),
        ("a/b/c.jpg", "a/b"),
        ("000001.jpg", "000001.jpg"),
        ("train.rec/0000000007", "0000000007"),  # who it shows is not in its name
        ("train.rec__0000000007.png", "train.rec__0000000007.png"),
        ("img_align_celeba.zip/img_align_celeba/000001.jpg", "000001.jpg"),
        ("lfw.tgz__lfw__Aaron_Eckhart__Aaron_Eckhart_0001.jpg.png", "lfw/Aaron_Eckhart"),
        ("aligned.zip/aligned/Ada__1.png", "Ada"),
    ],
)
def test_the_person_is_told_by_the_folder_or_the_aligned_name(path, person):
    assert holdout.person(path) == person


def split(folder, names, **how):
    """holdout.split, with names instead of indices."""
    names = np.array(names, object)
    return tuple(list(names[which]) for which in holdout.split(folder, names, **how))


@given(st.permutations([f"p{i}__{k}.png" for i in range(30) for k in range(i % 4 + 1)]), st.integers(1, 40))
def test_whole_persons_are_held_out_in_any_order_of_the_paths(paths, number):
    training, held = split("f", paths, hold_out=number)
    assert sorted(training + held) == sorted(paths)
    assert not {holdout.person(path) for path in training} & {holdout.person(path) for path in held}
    assert number <= len(held) < number + 4
    assert set(held) == set(split("f", sorted(paths), hold_out=number)[1])


def test_who_was_held_out_stays_held_out_when_photos_come_and_go():
    paths = [f"p{i}__{k}.png" for i in range(30) for k in range(3)]
    _, before = split("f", paths, hold_out=10)
    more = paths[6:] + [f"q{i}__0.png" for i in range(100)] + [before[0].replace("__0", "__9")]
    training, held = split("f", more, hold_out=10, before=before)
    assert {holdout.person(path) for path in held} <= {holdout.person(path) for path in before}
    assert not {holdout.person(path) for path in training} & {holdout.person(path) for path in before}
    assert before[0].replace("__0", "__9") in held


@pytest.mark.parametrize("place", ["folder", "above"])
@pytest.mark.parametrize("kind", ["txt", "csv"])
def test_celebas_partition_is_read_where_it_lies(tmp_path, place, kind):
    folder = tmp_path / "images"
    folder.mkdir()
    parts = ["0", "0", "1", "2"]
    rows = [f"{i:06d}.jpg{',' if kind == 'csv' else ' '}{part}" for i, part in enumerate(parts, start=1)]
    rows = ["image_id,partition", *rows] if kind == "csv" else rows
    (folder if place == "folder" else tmp_path).joinpath(f"list_eval_partition.{kind}").write_text("\n".join(rows))
    aligned = ["000001.jpg.png", "x__000002.jpg.png", "000003.jpg", "000004.png.png", "000004.jpg.png"]
    train, test = split(str(folder), aligned, partition="train")
    assert (train, test) == (["000001.jpg.png", "x__000002.jpg.png"], ["000004.jpg.png"])
    assert split(str(folder), aligned, partition="val")[0] == ["000003.jpg"]


def test_a_partition_without_its_list_is_refused(faces):
    with pytest.raises(UserError, match=r"--partition: no list_eval_partition.txt or"):
        split(faces, ["a.png"], partition="train")


def test_a_run_never_trains_on_who_is_held_out_and_a_resume_agrees(tiny, faces, tmp_path, capsys):
    folder = shutil.copytree(faces, tmp_path / "faces")
    config = tiny(dataset=str(folder), hold_out=5)
    loop.train(config)
    assert "held out: 5 more images, of 5 persons" in capsys.readouterr().out
    held = json.load(open(os.path.join(config.checkpoint_dir, files.HELD_OUT)))
    images = json.load(open(os.path.join(config.checkpoint_dir, files.IMAGES)))["names"]
    assert len(held) == 5 and len(images) == 21 and not set(held) & set(images)
    demo.write_faces(folder, 40)  # more photos
    loop.train(tiny(dataset=str(folder), hold_out=5, epoch=2))
    assert json.load(open(os.path.join(config.checkpoint_dir, files.HELD_OUT))) == held
    with pytest.raises(UserError, match="--hold_out: 5 before, not given now"):
        loop.train(tiny(dataset=str(folder), epoch=2))


def test_a_hold_out_that_leaves_less_than_a_batch_is_refused_with_both_numbers(faces):
    with pytest.raises(UserError, match="holds 2 images beside the 24 held out, fewer than --batch_size 4"):
        loop.open_data(TrainSettings(dataset=faces, batch_size=4, hold_out=24))


def test_two_ways_to_hold_out_and_a_list_of_other_images_are_refused(tmp_path):
    (tmp_path / "list_eval_partition.txt").write_text("000001.jpg 0\n")
    with pytest.raises(UserError, match="--partition and --hold_out: give one of them"):
        split(str(tmp_path), ["000001.jpg"], hold_out=1, partition="train")
    with pytest.raises(UserError, match=r"--partition train: the list has none of the images in .*, such as a\.png"):
        split(str(tmp_path), ["a.png"], partition="train")
