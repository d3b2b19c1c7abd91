import argparse
import multiprocessing
import os
import time

import pytest
from conftest import face_photo
from hypothesis import given
from hypothesis import strategies as st

from alignment import workers

paths = st.lists(st.text("ab_%~. /ü\n", min_size=1, max_size=8), min_size=1, max_size=3).map("/".join)


@given(st.sets(paths, min_size=2, max_size=40))
def test_output_names_are_injective_and_flat(some):
    names = {workers.output_name(path) for path in some}
    assert len(names) == len(some)
    assert all("/" not in name and "\n" not in name and name.endswith(".png") for name in names)


@pytest.mark.parametrize(
    "path, name",
    [
        ("001.jpg", "001.jpg.png"),
        ("Aaron_Eckhart/Aaron_Eckhart_0001.jpg", "Aaron_Eckhart__Aaron_Eckhart_0001.jpg.png"),
        ("a/b__c.jpg", "a__b%5F%5Fc.jpg.png"),
        ("a__b/c.jpg", "a%5F%5Fb__c.jpg.png"),
        ("a_/b.jpg", "a%5F__b.jpg.png"),
        ("a/_b.jpg", "a__%5Fb.jpg.png"),
        ("x.png", "x.png.png"),
        ("Zoë 100%.jpg", "Zoë 100%25.jpg.png"),
    ],
)
def test_output_names_are_readable(path, name):
    assert workers.output_name(path) == name


def test_long_paths_get_names_that_a_file_system_takes_and_stay_apart():
    names = {workers.output_name(f"{'deep/' * 100}{i}.jpg") for i in range(100)}
    assert len(names) == 100
    assert max(len(os.fsencode(name)) for name in names) < 240


def test_shards_divide_the_photos_evenly_and_always_alike():
    photos = [f"person{i % 7}/{i}.jpg" for i in range(1600)]
    shards = [[path for path in photos if workers.in_shard(path, (k, 4))] for k in (1, 2, 3, 4)]
    assert sorted(path for shard in shards for path in shard) == sorted(photos)
    assert all(340 < len(shard) < 460 for shard in shards)
    assert workers.in_shard("person0/0.jpg", (3, 4)), "the hash of a path never changes"


def some_options(tmp_path):
    """Options of a run on two workers, as align_faces.py makes them."""
    (tmp_path / "out").mkdir()
    return argparse.Namespace(
        workers=2, predictor=None, upsample=1, min_size=0, skipMulti=False, size=64,
        landmarks="innerEyesAndBottomLip", output=str(tmp_path / "out"),
    )  # fmt: skip


class Killer:
    """A photo whose reading ends the process that reads it."""

    def __fspath__(self):
        os._exit(9)


def test_a_photo_that_kills_its_worker_costs_that_photo_alone(tmp_path):
    pytest.importorskip("dlib")
    options = some_options(tmp_path)
    face_photo().save(tmp_path / "face.png")
    photos = [(f"{i}.png", str(tmp_path / "face.png")) for i in range(20)]
    photos.insert(10, ("killer.png", Killer()))
    rows = {row["input"]: row for rows in workers.align_all(options, iter(photos)) for row in rows}
    assert len(rows) == 21
    assert rows.pop("killer.png")["reason"].startswith("it ended the process")
    assert {row["outcome"] for row in rows.values()} == {"face"}
    assert len(os.listdir(options.output)) == 20


def test_tsv_rows_are_read_one_by_one(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"m.01\t0\turl\taGVsbG8=\r\nm.02/x\t1\turl\tYg==\n" + b"aGVsbG8=" * 50)
    rows = workers.read_tsv(str(tmp_path / "a.tsv"))
    assert next(rows) == ("a.tsv/m.01/00000001.jpg", b"aGVsbG8=")
    assert next(rows) == ("a.tsv/m.02_x/00000002.jpg", b"Yg==")
    assert next(rows) == ("a.tsv/_/00000003.jpg", b"aGVsbG8=" * 50)
    with pytest.raises(workers.decoding.PhotoError, match="not an image"):
        workers.decode(b"aGVsbG8=")
    with pytest.raises(workers.decoding.PhotoError, match="not base64"):
        workers.decode(b"!!!")


def test_a_worker_that_dies_between_batches_is_replaced(tmp_path):
    pytest.importorskip("dlib")
    options = some_options(tmp_path)
    face_photo().save(tmp_path / "face.png")
    photos = iter([(f"{i}.png", str(tmp_path / "face.png")) for i in range(100)])
    rows, killed = [], False
    for some in workers.align_all(options, photos):
        rows += some
        if not killed:
            killed = True
            for child in multiprocessing.active_children():
                child.kill()
            time.sleep(0.3)
    assert sorted(row["input"] for row in rows) == sorted(f"{i}.png" for i in range(100))
    assert {row["outcome"] for row in rows} == {"face"}
