import pytest

from alignment import inputs
from photos import decoding


def test_shards_divide_the_photos_evenly_and_always_alike():
    photos = [f"person{i % 7}/{i}.jpg" for i in range(1600)]
    shards = [[path for path in photos if inputs.in_shard(path, (k, 4))] for k in (1, 2, 3, 4)]
    assert sorted(path for shard in shards for path in shard) == sorted(photos)
    assert all(340 < len(shard) < 460 for shard in shards)
    assert inputs.in_shard("person0/0.jpg", (3, 4)), "the hash of a path never changes"


def test_tsv_rows_are_read_one_by_one(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"m.01\t0\turl\taGVsbG8=\r\nm.02/x\t1\turl\tYg==\n" + b"aGVsbG8=" * 50)
    rows = inputs.read_tsv(str(tmp_path / "a.tsv"))
    assert next(rows) == ("a.tsv/m.01/00000001.jpg", b"aGVsbG8=")
    assert next(rows) == ("a.tsv/m.02_x/00000002.jpg", b"Yg==")
    assert next(rows) == ("a.tsv/_/00000003.jpg", b"aGVsbG8=" * 50)
    with pytest.raises(decoding.PhotoError, match="not an image"):
        inputs.decode(b"aGVsbG8=")
    with pytest.raises(decoding.PhotoError, match="not base64"):
        inputs.decode(b"!!!")
