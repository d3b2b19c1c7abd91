import numpy as np
import pytest
from conftest import face_photo

from alignment import inputs
from photos import decoding


def test_shards_divide_the_photos_evenly_and_always_alike():
    photos = [f"person{i % 7}/{i}.jpg" for i in range(1600)]
    shards = [[path for path in photos if inputs.in_shard(path, (k, 4))] for k in (1, 2, 3, 4)]
    assert sorted(path for shard in shards for path in shard) == sorted(photos)
    assert all(340 < len(shard) < 460 for shard in shards)
    assert inputs.in_shard("person0/0.jpg", (3, 4)), "the hash of a path never changes"


def test_bytes_are_decoded_as_files_are():
    with pytest.raises(decoding.PhotoError, match="not an image"):
        inputs.decode(b"hello")


def test_a_truncated_photo_gives_the_same_pixels_from_bytes_as_from_a_file(tmp_path):
    path = tmp_path / "a.jpg"
    face_photo().save(path)
    path.write_bytes(path.read_bytes()[:-2000])
    np.testing.assert_array_equal(inputs.decode(path.read_bytes()), inputs.decode(str(path)))
