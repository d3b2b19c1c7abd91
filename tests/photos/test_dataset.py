import itertools
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from errors import UserError
from photos import dataset, demo, finding
from photos.dataset import ImageData


def folder_of(faces, **changes):
    return ImageData(faces, **dict(image_size=16, c_dim=3, batch_size=4, seed=0, cache="auto", max_bad=0.01) | changes)


@pytest.fixture
def copy(faces, tmp_path):
    """A copy of the faces, to spoil."""
    return shutil.copytree(faces, tmp_path / "copy")


def test_counts_images_and_whole_batches(faces):
    folder = folder_of(faces)
    assert (len(folder.names), folder.batches_per_epoch) == (26, 6)


def test_an_epoch_shows_each_image_at_most_once(faces):
    seen = folder_of(faces).order(0).ravel()
    assert len(set(seen)) == len(seen) == 24


def test_order_is_a_function_of_seed_and_epoch(faces):
    orders = [folder_of(faces, seed=seed).order(epoch).tolist() for seed, epoch in [(0, 0), (0, 0), (0, 1), (1, 0)]]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2] != orders[3] != orders[0]


def test_batches_are_the_images_in_that_order(faces):
    folder = folder_of(faces, image_size=64)
    batches = [np.array(batch) for batch in folder.batches(0, 12)]
    assert len(batches) == 12
    for position, batch in enumerate(batches):
        assert batch.dtype == np.float32
        for image, index in zip(batch, folder.order(position // 6)[position % 6]):
            with Image.open(os.path.join(faces, folder.names[index])) as original:
                np.testing.assert_allclose(image, np.asarray(original) / 127.5 - 1, atol=1e-6)


def test_batches_from_the_middle_equal_those_of_a_run_from_the_start(faces):
    whole = [np.array(batch) for batch in folder_of(faces, flip=True).batches(0, 14)]
    rest = [np.array(batch) for batch in folder_of(faces, flip=True).batches(5, 14)]
    np.testing.assert_array_equal(whole[5:], rest)


def test_flip_mirrors_about_half_anew_each_epoch(faces):
    plain, flip = folder_of(faces), folder_of(faces, flip=True)
    mirrored = []
    for epoch in range(2):
        for idx in range(6):
            for a, b in zip(plain.batch(epoch, idx), flip.batch(epoch, idx)):
                mirrored.append(not np.array_equal(a, b))
                np.testing.assert_array_equal(b, a[:, ::-1] if mirrored[-1] else a)
    assert 12 < sum(mirrored) < 36
    assert flip.mirrored(0).tolist() != flip.mirrored(1).tolist()
    assert not plain.mirrored(0).any()


def test_train_size_takes_the_first_by_sorted_path(faces):
    folder = folder_of(faces, train_size=9)
    assert list(folder.names) == sorted(os.listdir(faces))[:9]
    assert folder.batches_per_epoch == 2
    assert "9 of 26 images" in next(folder.describe())


def test_crop_and_gray_reach_the_images(faces):
    image = folder_of(faces, crop=32, c_dim=1, image_size=32).decode(0)
    with Image.open(os.path.join(faces, "00000.png")) as original:
        expected = np.asarray(original.convert("L"))[16:48, 16:48, None]
    np.testing.assert_array_equal(image, expected)


def test_describes_what_it_found(copy):
    (copy / "notes.txt").touch()
    Image.new("RGB", (30, 20)).save(copy / "wide.png")
    lines = list(folder_of(str(copy)).describe())
    assert lines[0] == f"27 images in {copy}, 6 batches of 4 per epoch"
    assert lines[1] == "sizes: 64x64 (96%), 30x20 (4%)"
    assert lines[2] == (
        "not aligned: the central square of each image is taken, wherever the face is; to align faces first: "
        f"./align_faces.py {copy} {copy}-aligned"
    )
    assert lines[3] == "cache: all images stay in memory once read, 0 MB"
    assert lines[4] == "skipped: 1 (.txt)"


def test_what_is_aligned_small_or_cropped_gets_no_hint(copy):
    def hints(**settings):
        finding.is_aligned.cache_clear()
        return [line for line in folder_of(str(copy), **settings).describe() if "not aligned" in line]

    assert hints() and not hints(image_size=64) and not hints(crop=32)
    (copy / "report.csv").touch()
    assert not hints()


def test_the_command_that_aligns_writes_beside_the_photos():
    assert dataset.align_command("data/me/raw/") == "./align_faces.py data/me/raw/ data/me/aligned"
    assert dataset.align_command("a b.zip") == "./align_faces.py 'a b.zip' 'a b-aligned'"


@pytest.mark.parametrize("make", [False, True])
def test_missing_or_empty_folder_names_the_path_and_the_endings(tmp_path, make):
    folder = tmp_path / "none"
    if make:
        folder.mkdir()
    with pytest.raises(UserError) as error:
        folder_of(str(folder))
    assert str(folder) in str(error.value)
    assert ("no such folder" in str(error.value)) != make
    assert (".png .jpg .jpeg .bmp .webp" in str(error.value)) == make


def test_fewer_images_than_a_batch_names_both_numbers(faces):
    with pytest.raises(UserError, match=r"26 images, fewer than --batch_size 64"):
        folder_of(faces, batch_size=64)
    with pytest.raises(UserError, match=r"the first 3 images, fewer than --batch_size 4"):
        folder_of(faces, train_size=3)


def test_a_broken_file_gives_its_place_to_the_next_image(copy):
    (copy / "00005.png").write_bytes(b"broken")
    folder = folder_of(str(copy), image_size=64)
    np.testing.assert_array_equal(folder.image(5), folder.decode(6))
    assert list(folder.bad) == ["00005.png"]
    assert "00005.png" in folder.bad_report()


def test_nothing_but_broken_files_stops_the_reading(tmp_path):
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"1 file does not decode: a\.png"):
        list(folder_of(str(tmp_path), batch_size=1).batches(0, 1))


def test_too_many_broken_files_stop_the_reading_by_name(copy):
    for index in range(5):
        (copy / f"{index:05d}.png").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"\d files do not decode: 0000\d.png \(not an image.*--max_bad"):
        list(folder_of(str(copy)).batches(0, 6))


@pytest.mark.parametrize("cache", ["on", "off", "auto"])
def test_cache_changes_nothing_but_what_is_read_again(copy, cache):
    folder = folder_of(str(copy), cache=cache, flip=True)
    first = [np.array(batch) for batch in folder.batches(0, 12)]
    expected = [np.array(batch) for batch in folder_of(str(copy), flip=True, cache="off").batches(0, 12)]
    np.testing.assert_array_equal(first, expected)
    if cache == "off":
        assert folder.cache.size == 0
    else:
        assert folder.cached.sum() > 20
        for path in folder.names:
            os.remove(copy / path)
        seen = folder.batches(0, 6)
        np.testing.assert_array_equal([np.array(batch) for batch in seen], expected[:6])


def test_auto_cache_keeps_what_fits_a_quarter_of_the_free_memory(faces, monkeypatch):
    each = 16 * 16 * 3
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=4 * 10 * each + 5))
    folder = folder_of(faces)
    assert len(folder.cached) == 10
    assert "cache: 10 images stay in memory" in "\n".join(folder.describe())
    partly = [np.array(batch) for batch in folder.batches(0, 12)]
    np.testing.assert_array_equal(partly, [np.array(batch) for batch in folder_of(faces, cache="off").batches(0, 12)])
    assert len(folder_of(faces, cache="on").cached) == 26


@given(n=st.integers(1, 26), batch_size=st.integers(1, 26), seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 10**6))
def test_any_epoch_is_an_order_of_its_own_of_distinct_images_in_whole_batches(faces, n, batch_size, seed, epoch):
    batch_size = min(n, batch_size)
    order = folder_of(faces, train_size=n, batch_size=batch_size, seed=seed).order(epoch)
    assert order.shape == (n // batch_size, batch_size)
    assert len(set(order.flat)) == order.size and set(order.flat) <= set(range(n))
    again = folder_of(faces, train_size=n, batch_size=1, seed=seed, flip=True).order(epoch)
    np.testing.assert_array_equal(order.flat, again.flat[: order.size])  # whatever else is asked for


@settings(max_examples=20)
@given(
    stop=st.integers(1, 20), cuts=st.lists(st.integers(0, 20)), seed=st.integers(0, 99), batch_size=st.integers(3, 9)
)
def test_a_run_in_any_pieces_sees_the_batches_of_a_run_in_one(faces, stop, cuts, seed, batch_size):
    def batches(start, stop):
        folder = folder_of(faces, seed=seed, batch_size=batch_size, flip=True)
        return [np.array(batch) for batch in folder.batches(start, stop)]

    ends = [0, *sorted(cut for cut in cuts if cut < stop), stop]
    pieces = [batch for start, end in itertools.pairwise(ends) for batch in batches(start, end)]
    np.testing.assert_array_equal(pieces, batches(0, stop))


def test_a_files_name_does_not_command_the_terminal(tmp_path):
    demo.write_faces(tmp_path, 8)
    (tmp_path / "a\x1b[2J.png").write_bytes(b"broken")
    data = folder_of(tmp_path, max_bad=0.5)
    for index in range(9):
        data.image(index)
    assert "a\\x1b[2J.png" in data.bad_report() and "\x1b" not in data.bad_report()
