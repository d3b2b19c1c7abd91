import errno
import fcntl
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

import utils


def test_pixels_survive_a_round_trip():
    pixels = np.arange(256, dtype=np.uint8)
    images = utils.transform(pixels)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (-1, 1)
    np.testing.assert_array_equal(utils.inverse_transform(images), pixels)


def test_inverse_transform_rounds_and_clips():
    halves = np.array([-1.5, -1.0, (100.6 / 127.5) - 1, (100.4 / 127.5) - 1, 1.0, 1.5])
    assert utils.inverse_transform(halves).tolist() == [0, 0, 101, 100, 255, 255]


@pytest.mark.parametrize(
    "n, columns, shape", [(1, None, (2, 3)), (5, None, (4, 9)), (64, None, (16, 24)), (7, 7, (2, 21))]
)
def test_grid_holds_every_image_in_reading_order(n, columns, shape):
    images = np.arange(1, n + 1, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 1), np.uint8)
    grid = utils.merge(images, columns)
    assert grid.shape == (*shape, 1)
    cells = grid[::2, ::3, 0].ravel()
    assert cells[:n].tolist() == list(range(1, n + 1))
    assert (cells[n:] == 255).all()


@pytest.mark.parametrize("channels, mode", [(1, "L"), (3, "RGB")])
def test_saved_image_reads_back(tmp_path, channels, mode):
    pixels = np.random.default_rng(0).integers(0, 256, [4, 5, channels], np.uint8)
    utils.save_image(pixels, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == mode
        np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_failed_write_leaves_the_old_file_and_no_scrap(tmp_path):
    utils.write_text(tmp_path / "a", "old")
    with pytest.raises(RuntimeError), utils.whole_file(tmp_path / "a") as file:
        file.write(b"ne")
        raise RuntimeError
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("writer", ["write_text", "save_image", "save_gif"])
def test_no_writer_writes_through_a_link(tmp_path, writer):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "a").symlink_to(tmp_path / "victim")
    content = {
        "write_text": "new",
        "save_image": np.zeros([2, 2, 3], np.uint8),
        "save_gif": np.zeros([2, 2, 2, 3], np.uint8),
    }
    arguments = [tmp_path / "a", content[writer]]
    getattr(utils, writer)(*(arguments if writer == "write_text" else arguments[::-1]))
    assert (tmp_path / "victim").read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["a", "victim"] and not (tmp_path / "a").is_symlink()


def test_a_lock_is_held_once_and_follows_no_link(tmp_path):
    first = utils.lock(tmp_path / "l")
    assert first and utils.lock(tmp_path / "l") is None
    first.close()
    assert utils.lock(tmp_path / "l")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError):
        utils.lock(tmp_path / "link")
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_without_locks_it_warns_and_goes_on(tmp_path, monkeypatch, capsys, number):
    def flock(_file, _how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    assert utils.lock(tmp_path / "l")
    assert f"warning: {tmp_path}: its file system has no locks" in capsys.readouterr().err


@given(arrays(np.uint8, array_shapes(max_dims=4, max_side=5)))
def test_any_pixels_survive_a_round_trip_within_bounds(pixels):
    images = utils.transform(pixels)
    assert images.shape == pixels.shape and images.min() >= -1 and images.max() <= 1
    np.testing.assert_array_equal(utils.inverse_transform(images), pixels)


@given(arrays(np.float32, array_shapes(max_dims=4, max_side=5), elements=st.floats(-3, 3, width=32)))
def test_any_images_become_pixels_that_are_off_by_half_a_level_at_most(images):
    pixels = utils.inverse_transform(images)
    assert np.abs(utils.transform(pixels) - np.clip(images, -1, 1)).max() <= 0.5 / 127.5 + 1e-6


@given(n=st.integers(1, 40), size=st.tuples(*[st.integers(1, 5)] * 3), columns=st.none() | st.integers(1, 50))
def test_any_grid_holds_each_image_at_its_place_and_is_white_elsewhere(n, size, columns):
    images = np.random.default_rng(n).integers(0, 255, [n, *size], np.uint8)
    grid = utils.merge(images, columns)
    height, width, _ = size
    across = grid.shape[1] // width
    assert across == columns or (columns is None and (across - 1) ** 2 < n <= across**2)
    for k, image in enumerate(images):
        top, left = k // across * height, k % across * width
        np.testing.assert_array_equal(grid[top : top + height, left : left + width], image)
    assert (grid == 255).sum() == grid.size - images.size and grid.shape[0] // height == -(-n // across)


def test_two_processes_may_write_one_file(tmp_path):
    path = str(tmp_path / "a")
    with utils.whole_file(path) as first:
        with utils.whole_file(path) as second:
            second.write(b"second")
        first.write(b"first")
    assert open(path, "rb").read() == b"first" and os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_folder_that_refuses_fsync_is_passed_over(tmp_path, monkeypatch, number):
    def refuse(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(utils.os, "fsync", refuse)
    utils.sync_folder(str(tmp_path))


@pytest.mark.parametrize("number", [524, errno.EBADF, errno.EINVAL, errno.ENOLCK])
def test_a_file_system_without_locks_is_warned_of(tmp_path, monkeypatch, capsys, number):
    def refuse(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(utils.fcntl, "flock", refuse)
    utils.lock(str(tmp_path / "lock")).close()
    assert "its file system has no locks" in capsys.readouterr().err
