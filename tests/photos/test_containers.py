"""Containers: the same photos give the same batches and faces from each, and hostile ones do no harm."""

import base64
import functools
import io
import os
import re
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from conftest import run_script, train

from errors import UserError
from photos import archives, collection, containers, decoding, holdout, members, records
from photos.dataset import ImageData

PHOTOS = 26
JPEG_WITH_MAGIC = b"\xff\xd8\xff\xfe\x00\x12\x00\x00" + records.MAGIC * 3  # a comment of 16 bytes in a JPEG


def record(payload, flag=0):
    return records.MAGIC + struct.pack("<I", flag << 29 | len(payload)) + payload + bytes(-len(payload) % 4)


def image_record(key, image, labels=()):
    return record(struct.pack("<IfQQ", len(labels), 0, key, 0) + np.float32(labels).tobytes() + image)


def write_rec(path, images, index=True, labels=()):
    """images: (key, bytes). Labels go into every second record; the last two have labels and no image."""
    with open(path, "wb") as file:
        lines = []
        for i, (key, image) in enumerate([*images, (len(images), b""), (len(images) + 1, b"")]):
            lines.append(f"{key}\t{file.tell()}\n")
            file.write(image_record(key, image, labels if i % 2 or not image else ()))
    if index:
        path.with_suffix(".idx").write_text("".join(lines))


def write_zip(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)


def write_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def write_parquet(path, contents, column=None):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = (
        contents
        if column
        else [content and {"bytes": content, "path": f"{i}.png"} for i, content in enumerate(contents)]
    )
    table = pyarrow.table({"label": list(range(len(rows))), column or "image": rows})
    parquet.write_table(table, path, row_group_size=7)


@pytest.fixture(scope="session")
def contents(faces):
    """The bytes of the drawn faces, by number."""
    return [open(os.path.join(faces, name), "rb").read() for name in sorted(os.listdir(faces))]


def write_all(folder, contents):
    """Each container, with the faces -> {file: how its members are named}."""
    named = [(f"a/{i:03d}.png", content) for i, content in enumerate(contents)]
    shuffled = named[::-1]
    numbers = "{:010d}".format
    write_rec(folder / "indexed.rec", list(enumerate(contents)), labels=(1, 2))
    write_rec(folder / "plain.rec", list(enumerate(contents)), index=False)
    write_rec(folder / "nameless.rec", [(0, content) for content in contents], index=False)  # keys are not unique
    write_zip(folder / "stored.zip", shuffled)
    write_zip(folder / "deflated.zip", shuffled, zipfile.ZIP_DEFLATED)
    write_tar(folder / "shard.tar", shuffled)
    write_parquet(folder / "structs.parquet", contents)
    write_parquet(folder / "plain.parquet", contents, column="data")
    rows = [b"\t".join([b"m.01", b"%d" % i, base64.b64encode(content)]) for i, content in enumerate(contents)]
    (folder / "celeb.tsv").write_bytes(b"\n".join(rows) + b"\n")
    archived = "a/{:03d}.png".format
    return {
        "indexed.rec": numbers, "plain.rec": numbers, "nameless.rec": numbers, "stored.zip": archived,
        "deflated.zip": archived, "shard.tar": archived, "structs.parquet": numbers, "plain.parquet": numbers,
        "celeb.tsv": lambda i: f"m.01/{i + 1:010d}.jpg",
    }  # fmt: skip


ALL = "indexed.rec plain.rec nameless.rec stored.zip deflated.zip shard.tar structs.parquet plain.parquet celeb.tsv"


@pytest.fixture(scope="session")
def written(contents, tmp_path_factory):
    folder = tmp_path_factory.mktemp("containers")
    return folder, write_all(folder, contents)


def batches(dataset, **changes):
    data = ImageData(
        str(dataset),
        **dict(image_size=16, c_dim=3, batch_size=4, seed=3, flip=True, cache="auto", max_bad=0.01) | changes,
    )
    return list(data.names), [data.batch(epoch, idx) for epoch in (0, 1) for idx in range(data.batches_per_epoch)]


@pytest.mark.parametrize("name", ALL.split())
def test_the_same_photos_give_the_same_batches_from_a_folder_and_from_each_container(written, contents, tmp_path, name):
    folder, member = written[0], written[1][name]
    names, found = batches(folder / name)
    assert names == [f"{name}/{member(i)}" for i in range(PHOTOS)]
    for i, content in enumerate(contents):  # as files of the same names
        path = tmp_path / (name + "/" + member(i) + ("" if "." in member(i) else ".png"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    _, expected = batches(tmp_path)
    np.testing.assert_array_equal(found, expected)


def test_a_folder_of_shards_is_one_data_set_and_one_with_photos_is_a_folder(written, contents, tmp_path, capsys):
    folder, _ = written
    photos = collection.find(str(folder))
    assert len(photos) == PHOTOS * len(ALL.split())
    assert list(photos.names) == sorted(photos.names)
    assert photos.skipped["record without an image"] == 6
    write_zip(tmp_path / "x.zip", [("1.png", contents[0])])
    (tmp_path / "labels.tsv").write_text("name\tlabel\n")
    (tmp_path / "property").write_text("1,16,16\n")
    assert list(collection.find(str(tmp_path)).names) == ["x.zip/1.png"]
    (tmp_path / "photo.png").write_bytes(contents[0])
    photos = collection.find(str(tmp_path))
    assert list(photos.names) == ["photo.png"] and photos.skipped["container x.zip"] == 1


def test_a_container_is_recognised_by_its_content(tmp_path, contents):
    write_tar(tmp_path / "a.zip", [("1.png", contents[0])])
    (tmp_path / "photos").write_bytes((tmp_path / "a.zip").read_bytes())
    for name in ("a.zip", "photos"):
        assert containers.kind_of(str(tmp_path / name)).name == ".tar"
        assert list(collection.find(str(tmp_path / name)).names) == [f"{name}/1.png"]


def test_a_record_that_was_cut_at_the_magic_number_is_joined(tmp_path, contents):
    image = JPEG_WITH_MAGIC + contents[0]
    payload = struct.pack("<IfQQ", 0, 0, 7, 0) + image
    parts = payload.split(records.MAGIC)
    flags = [1, *[2] * (len(parts) - 2), 3]
    (tmp_path / "a.rec").write_bytes(
        image_record(6, contents[1]) + b"".join(map(record, parts, flags)) + image_record(8, contents[2])
    )
    photos = collection.find(str(tmp_path / "a.rec"))
    assert list(photos.names) == ["a.rec/0000000006", "a.rec/0000000007", "a.rec/0000000008"]
    assert [photos.source(i).read() for i in range(3)] == [contents[1], image, contents[2]]


def test_zips_pass_over_what_macs_leave_and_clean_names_that_lead_out(tmp_path, contents):
    odd = [
        "__MACOSX/a.png",
        "a/._b.png",
        ".DS_Store",
        "list.txt",
        "../../out.png",
        "/abs.png",
        "b\\c.png",
        "./d.png",
        "e/",
    ]
    write_zip(tmp_path / "a.zip", [(name, contents[0]) for name in odd])
    photos = collection.find(str(tmp_path / "a.zip"))
    assert list(photos.names) == ["a.zip/abs.png", "a.zip/b/c.png", "a.zip/d.png", "a.zip/out.png"]
    assert photos.skipped == {"__MACOSX": 1, "hidden": 2, ".txt": 1}


def test_of_members_with_one_name_the_last_counts_as_when_unpacking(tmp_path, contents):
    write_tar(tmp_path / "a.tar", [("1.png", contents[0]), ("2.png", contents[1]), ("./1.png", contents[2])])
    photos = collection.find(str(tmp_path / "a.tar"))
    assert [photos.source(i).read() for i in range(len(photos))] == [contents[2], contents[1]]
    assert photos.skipped["a later member has the same name"] == 1


def encrypted(path):
    """Say in a .zip file that its members are encrypted."""
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for match in re.finditer(re.escape(signature), bytes(content)):
            content[match.start() + flags] |= 1
    path.write_bytes(content)


def test_members_that_cannot_be_read_are_bad_photos_and_count_as_such(tmp_path, contents):
    write_zip(tmp_path / "locked.zip", [("1.png", contents[0])])
    encrypted(tmp_path / "locked.zip")
    write_zip(tmp_path / "bz.zip", [("1.png", contents[0])], zipfile.ZIP_BZIP2)
    write_zip(tmp_path / "bomb.zip", [("1.png", bytes(members.MOST_BYTES + 1))], zipfile.ZIP_DEFLATED)
    write_rec(tmp_path / "cut.rec", [(0, contents[0])], index=False)
    os.truncate(tmp_path / "cut.rec", 500)
    write_tar(tmp_path / "cut.tar", [("1.png", contents[0])])
    os.truncate(tmp_path / "cut.tar", 700)
    reasons = {}
    for name in ("locked.zip", "bz.zip", "bomb.zip", "cut.rec", "cut.tar"):
        photos = collection.find(str(tmp_path / name))
        assert len(photos) == 1
        with pytest.raises(decoding.PhotoError) as error:
            photos.open(0)
        reasons[name] = str(error.value)
    assert reasons == {
        "locked.zip": "encrypted: unpack the archive with its password first",
        "bz.zip": "compressed by method 12 of .zip files; stored and deflated members are read",
        "bomb.zip": f"more than {members.MOST_BYTES:,} bytes long",
        "cut.rec": members.TRUNCATED,
        "cut.tar": members.TRUNCATED,
    }
    with pytest.raises(UserError, match=r"1 file does not decode: locked.zip/1.png \(encrypted: "):
        batches(tmp_path / "locked.zip", batch_size=1)


def test_a_length_beyond_the_file_takes_no_memory(tmp_path, contents):
    huge = records.MAGIC + struct.pack("<I", (1 << 29) - 1) + struct.pack("<IfQQ", 0, 0, 0, 0) + contents[0]
    (tmp_path / "a.rec").write_bytes(huge)
    photos = collection.find(str(tmp_path / "a.rec"))
    with pytest.raises(decoding.PhotoError, match=r"536,870,920 bytes long, more than"):
        photos.open(0)


def corrupt(path, at, content):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(content)


@pytest.mark.parametrize(
    "name, message",
    [
        ("empty.rec", "empty.rec: is empty; give a folder of photos, or a .rec, .zip"),
        ("text.zip", "text.zip: is no container of photos that this program reads"),
        ("page.zip", "page.zip: is a web page .a download that failed"),
        ("nothing.zip", r"no images in it \(it holds nothing\)"),
        ("texts.zip", r"no images in it \(it holds 2 .txt\)"),
        ("cut.zip", "cut.zip: its list of members can't be read"),
        ("cut.parquet", "cut.parquet: can't be read as a .parquet file"),
        ("numbers.parquet", "has no column of images, which is binary, .* its columns: label, number"),
        ("a.tar.gz", "a compressed .tar file can only be read from start to end.*unpack it: gunzip --keep"),
        ("other.rec", r"other.idx: disagrees with other.rec, which has no record at byte 41 \(key 1\)"),
        ("beyond.rec", "beyond.idx: disagrees with beyond.rec, which has no record at byte 99,999,999"),
        ("words.rec", "words.idx: has no lines of a key and a position"),
        ("short.rec", "short.idx: lists 1 records, but short.rec has more after them; move the .idx away"),
        ("none.rec", "none.idx: lists 0 records, but none.rec has more"),
    ],
)
def test_what_is_no_container_of_photos_is_refused_before_work(tmp_path, contents, name, message):
    path = tmp_path / name
    if name.endswith(".rec") and name != "empty.rec":
        write_rec(path, [(0, contents[0]), (1, contents[1])], index=False)
    if name == "empty.rec":
        path.touch()
    elif name == "page.zip":
        path.write_text("<!DOCTYPE html><html><head><title>Quota exceeded</title>")
    elif name == "text.zip":
        path.write_text("Rar!, or anything else")
    elif name in ("nothing.zip", "texts.zip", "cut.zip"):
        write_zip(path, [("a.txt", b"1"), ("b.txt", b"2")] if name != "nothing.zip" else [])
        os.truncate(path, path.stat().st_size - (30 if name == "cut.zip" else 0))
    elif name == "cut.parquet":
        write_parquet(path, contents)
        os.truncate(path, 2000)
    elif name == "numbers.parquet":
        write_parquet(path, [1, 2], column="number")
    elif name == "a.tar.gz":
        write_tar(path, [("1.png", contents[0])], "w:gz")
    else:
        last = path.stat().st_size - 40  # the last record, of labels alone
        lines = {
            "other.rec": f"0\t0\n1\t41\n2\t{last}\n",
            "beyond.rec": "0\t0\n1\t99999999\n",
            "words.rec": "a\tb\n",
            "short.rec": "0\t0\n",
            "none.rec": "",
        }[name]
        path.with_suffix(".idx").write_text(lines)
    with pytest.raises(UserError, match=message):
        collection.find(str(path))


def test_parquet_without_pyarrow_says_what_to_install(written, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match="need the package pyarrow; type: pip install pyarrow"):
        collection.find(str(written[0] / "plain.parquet"))


def test_a_parquet_file_that_does_not_fit_into_memory_is_refused(written, monkeypatch):
    monkeypatch.setattr("photos.dataset.free_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"stay in memory while they train.*fewer images, or align them first"):
        batches(written[0] / "plain.parquet")


def test_damaged_pages_of_a_parquet_file_are_bad_photos(tmp_path, contents):
    write_parquet(tmp_path / "a.parquet", contents)
    size = (tmp_path / "a.parquet").stat().st_size
    corrupt(tmp_path / "a.parquet", size // 2, b"\xff" * 9000)
    with pytest.raises(UserError, match=r"files do not decode: .*the container is damaged here \(row group"):
        batches(tmp_path / "a.parquet")
    done = run_script("align_faces.py", tmp_path / "a.parquet", tmp_path / "out")
    assert done.returncode == 0 and "Traceback" not in done.stderr
    outcomes = re.match(r"(\d+) faces, (\d+) without a face, (\d+) unreadable of (\d+) photos", done.stdout)
    assert int(outcomes[4]) == len(contents) and int(outcomes[3]) > 1, "each row is counted"


@pytest.mark.parametrize("kind", ["tar", "rec"])
def test_photos_that_may_be_missing_from_a_cut_container_count_as_a_bad_one(tmp_path, contents, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "tar":
        write_tar(path, [(f"{i}.png", content) for i, content in enumerate(contents)])
        os.truncate(path, 20 * 512)
    else:
        write_rec(path, list(enumerate(contents)), index=False)
        os.truncate(path, path.stat().st_size - 36)  # within the head of the last record
    assert "photos may be missing" in collection.find(str(path)).damaged[path.name]
    with pytest.raises(UserError, match=r"do.* not decode: .*photos may be missing"):
        batches(path, max_bad=0, batch_size=1)
    (tmp_path / "raw").mkdir()
    done = run_script("align_faces.py", path, tmp_path / "out")
    assert done.returncode == 0 and re.search("[12] unreadable", done.stdout)


def test_a_bad_shard_is_refused_before_any_is_aligned(tmp_path, contents):
    write_zip(tmp_path / "a.zip", [("1.png", contents[0])])
    (tmp_path / "b.zip").write_text("no zip")
    done = run_script("align_faces.py", tmp_path, tmp_path.parent / "faces_out")
    assert done.returncode == 2 and "b.zip: is no container" in done.stderr
    assert not (tmp_path.parent / "faces_out").exists()


def test_few_images_beside_containers_name_them(tmp_path, contents):
    write_zip(tmp_path / "a.zip", [("1.png", contents[0])])
    (tmp_path / "preview.png").write_bytes(contents[0])
    with pytest.raises(
        UserError, match=r"holds 1 images, .*; the containers beside them \(a.zip\) are read if no image"
    ):
        batches(tmp_path)


def test_who_is_held_out_stays_so_when_a_folder_is_packed(tmp_path, contents):
    named = [(f"aligned/p{i % 9}__{i}.png", content) for i, content in enumerate(contents)]
    write_zip(tmp_path / "aligned.zip", named)
    write_zip(tmp_path / "renamed.zip", [(name[len("aligned/") :], content) for name, content in named])
    split = functools.partial(holdout.split, hold_out=6)
    first, second = (collection.find(str(tmp_path / name)).names for name in ("aligned.zip", "renamed.zip"))
    held = list(first[split("", first)[1]])
    assert len({holdout.person(name) for name in held}) in (2, 3)
    again = second[split("", second, before=held)[1]]
    assert [os.path.basename(name) for name in again] == [os.path.basename(name) for name in held]
    with pytest.raises(UserError, match="none of the 6 photos that this run holds out"):
        split("", second, before=["x__1.png"] * 6)


def test_a_null_row_of_a_parquet_file_is_a_bad_photo(tmp_path, contents):
    write_parquet(tmp_path / "a.parquet", [*contents[:9], None, contents[9]])
    data = ImageData(
        str(tmp_path / "a.parquet"), image_size=16, c_dim=3, batch_size=4, seed=0, cache="auto", max_bad=0.2
    )
    assert data.bad == {"a.parquet/0000000009": "a row without an image"}


def test_a_damaged_tail_of_a_compressed_tar_loses_nothing_before_it(tmp_path, contents):
    write_tar(tmp_path / "a.tgz", [(f"{i}.png", content) for i, content in enumerate(contents)], "w:gz")
    os.truncate(tmp_path / "a.tgz", (tmp_path / "a.tgz").stat().st_size - 3000)
    found = archives.each_in_tar(str(tmp_path / "a.tgz"), "a.tgz/", lambda name: True)
    read = []
    with pytest.raises(decoding.PhotoError, match="can't be read from byte"):
        for photo in found:
            read.append(photo)
    assert 10 < len(read) < PHOTOS and read == [(f"a.tgz/{i}.png", contents[i]) for i in range(len(read))]


def test_each_container_aligns_to_the_same_faces_as_the_photos_in_a_folder(written, contents, tmp_path):
    folder, _ = written
    (tmp_path / "raw").mkdir()
    for i, content in enumerate(contents):
        (tmp_path / "raw" / f"{i:03d}.png").write_bytes(content)
    write_tar(tmp_path / "a.tgz", [(f"{i:03d}.png", content) for i, content in enumerate(contents)], "w:gz")
    done = [
        run_script("align_faces.py", path, tmp_path / "out" / path.name)
        for path in (tmp_path / "raw", folder, tmp_path / "a.tgz")
    ]
    assert [(run.returncode, run.stderr) for run in done] == [(0, "")] * 3

    def outputs(name):
        return [path.read_bytes() for path in sorted((tmp_path / "out" / name).glob("*.png"))]

    expected = outputs("raw")
    assert len(expected) > 5 and outputs("a.tgz") == expected
    assert outputs(folder.name) == expected * len(ALL.split())


def test_a_run_moves_from_a_folder_into_a_container_and_back(faces, written, tmp_path, capsys):
    settings = dict(image_size=16, z_dim=8, gf_dim=4, df_dim=4, batch_size=4)
    train(tmp_path, dataset=faces, epoch=1, **settings)
    train(tmp_path, dataset=str(written[0] / "shard.tar"), epoch=2, **settings)
    assert "resuming from" in capsys.readouterr().out


def test_check_reads_containers(written):
    done = run_script("train-dcgan.py", "--dataset", written[0] / "stored.zip", "--check")
    assert done.returncode == 0 and f"{PHOTOS} images in" in done.stdout and f"{PHOTOS} of them good" in done.stdout
