import os

import numpy as np
import pytest
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
    assert not cells[n:].any()


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
