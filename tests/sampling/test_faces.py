"""Faces are taken out of photos and put back."""

import os

import numpy as np
import pytest
from conftest import face_photo
from PIL import Image

from errors import UserError
from photos import finding
from sampling import blending, faces

pytest.importorskip("dlib")


@pytest.fixture
def photo(tmp_path):
    """A photo of 500x400 pixels with a turned face of some 150 pixels, in a file."""
    picture = Image.new("RGB", (500, 400), (90, 120, 160))
    picture.paste(face_photo(4, 200).rotate(12, Image.Resampling.BICUBIC, fillcolor=(90, 120, 160)), (210, 120))
    picture.save(tmp_path / "party.png")
    return str(tmp_path / "party.png")


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_a_photo_is_aligned_by_the_projects_own_aligner(photo):
    from alignment.openface import AlignDlib

    (face,) = faces.read([photo], 64, 3, align=True)
    np.testing.assert_array_equal(face.pixels, AlignDlib().align(64, pixels_of(photo)))


def test_photos_without_a_face_are_named_and_left_out(photo, tmp_path, capsys):
    wall = str(tmp_path / "wall.png")
    Image.new("RGB", (200, 200), "white").save(wall)
    assert [face.path for face in faces.read([wall, photo], 64, 3, align=True)] == [photo]
    assert f"warning: no face found in {wall}; left out" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"wall.png: no face found; give photos with larger faces"):
        faces.read([wall], 64, 3, align=True)


@pytest.mark.parametrize("c_dim", [3, 1])
def test_a_hole_is_filled_in_its_place_and_the_rest_of_the_photo_is_as_it_was(photo, c_dim):
    (face,) = faces.read([photo], 64, c_dim, align=True)
    mask = np.ones([64, 64, 1], np.float32)
    mask[16:48, 16:48] = 0
    before = pixels_of(photo) if c_dim == 3 else np.asarray(Image.open(photo).convert("L"))[..., None]
    same = faces.put_back(face, face.pixels, mask)
    assert same.shape == before.shape
    hole = faces.put_back(face, np.zeros_like(face.pixels), mask) == 0  # where a black face would be seen whole
    assert blending.psnr(same / 127.5 - 1, before / 127.5 - 1, ~hole) > 24  # the face's own pixels, made smaller
    y, x = (hole.all(axis=-1)).nonzero()
    corner = face.transform @ [[x.mean()], [y.mean()], [1]]
    np.testing.assert_allclose(corner.ravel(), [32, 32], atol=1)  # the middle of the hole, where it belongs
    black = faces.put_back(face, np.zeros_like(face.pixels), mask)
    points = np.stack([*np.indices(before.shape[:2])[::-1], np.ones(before.shape[:2])])
    inside = np.einsum("ij,jhw->ihw", face.transform, points)
    far = (inside < 11).any(axis=0) | (inside > 53).any(axis=0)  # four pixels of the face around the hole
    np.testing.assert_array_equal(black[far], before[far])


def test_the_edge_is_soft():
    hole = np.zeros([64, 64], bool)
    hole[:, :32] = True
    share = faces.soft(hole)
    assert (share[8:-8, 8:32] == 1).all() and not share[:, 37:].any()
    assert (np.diff(share[32, 31:36]) < 0).all() and (np.diff(share[32, :4]) > 0).all() and share[32, 0] < 0.3
    assert not faces.soft(np.zeros([64, 64], bool)).any()


def test_turned_photos_come_back_upright(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    turned = str(tmp_path / "turned.jpg")
    Image.open(photo).rotate(90, expand=True).save(turned, exif=exif, quality=95)
    (face,) = faces.read([turned], 64, 3, align=True)
    assert faces.put_back(face, face.pixels, np.zeros([64, 64, 1])).shape == (400, 500, 3)


def test_photos_that_nobody_has_aligned_get_a_hint(photo, tmp_path, capsys):
    faces.read([photo], 64, 3)
    assert f"{photo}: not aligned, so the central square is taken" in capsys.readouterr().out
    (tmp_path / "report.csv").touch()
    finding.is_aligned.cache_clear()
    faces.read([photo], 64, 3)
    small = str(tmp_path / "small.png")
    os.remove(tmp_path / "report.csv")
    finding.is_aligned.cache_clear()
    face_photo(side=64).save(small)
    faces.read([small], 64, 3)
    assert capsys.readouterr().out == ""


def test_equal_names_get_a_number():
    assert faces.unique_names(["x/a.jpg", "y/a.png", "b.jpg", "z/a.jpg"]) == ["a", "a-2", "b", "a-3"]


def test_a_long_name_leaves_room_for_what_is_added():
    names = faces.unique_names(["脸" * 80 + ".png", "脸" * 80 + ".jpg"])
    assert len(set(names)) == 2 and all(len(os.fsencode(f"photo_{name}.png.12345678.partial")) < 143 for name in names)
