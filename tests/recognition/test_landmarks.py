"""Landmarks of aligned crops, and what is measured on them."""

import numpy as np
import pytest
from conftest import face_photo

from recognition import landmarks

pytest.importorskip("dlib")
NAMES = list(landmarks.MEASURES)


@pytest.fixture(scope="module")
def crops():
    """Aligned crops of the drawn faces."""
    from alignment.openface import AlignDlib

    aligner = AlignDlib()
    found = (aligner.align(64, np.asarray(face_photo(which))) for which in range(6))
    return np.stack([crop for crop in found if crop is not None])


def test_the_aligned_landmarks_are_found_where_the_alignment_put_them(crops):
    from alignment.openface import TEMPLATE

    template = np.array(TEMPLATE)
    template = (template - template.min(axis=0)) / (template.max(axis=0) - template.min(axis=0))
    with landmarks.Landmarks(1) as finder:
        points, faces = finder.find(crops)
        np.testing.assert_array_equal(finder.find(crops, detect=False)[0], points)
        assert not finder.find(np.full_like(crops, 127))[1].any()
    assert points.shape == (len(crops), 68, 2) and faces.any()
    three = [39, 42, 57]  # that were moved to their mean places
    assert np.median(np.abs(points[:, three] - template[three])) < 0.02


def face(changes=()):
    """The mean face as landmarks [1, 68, 2], with some of them moved: {number: (x, y)}."""
    from alignment.openface import TEMPLATE

    points = np.array(TEMPLATE, np.float32)[None]
    for number, move in dict(changes).items():
        points[0, number] += move
    return points


@pytest.mark.parametrize(
    "name, changes",
    [
        ("smile", {48: (-0.02, -0.03), 54: (0.02, -0.03)}),
        ("mouth", {66: (0, 0.05)}),
        ("turn", {30: (0.05, 0)}),
        ("up", {30: (0, -0.05)}),
        ("eyes", {37: (0, -0.01), 38: (0, -0.01), 43: (0, -0.01), 44: (0, -0.01)}),
    ],
)
def test_a_moved_landmark_raises_its_measure_and_leaves_the_pixels_measures(name, changes):
    gray = np.full([1, 64, 64, 3], 100, np.uint8)
    change = (landmarks.measure(face(changes), gray) - landmarks.measure(face(), gray))[0]
    assert change[NAMES.index(name)] > 0.03
    assert not change[NAMES.index("light") :].any()


def test_pixels_are_measured():
    gray = np.full([1, 64, 64, 3], 100, np.uint8)
    lighter, warmer, backlit = gray + 50, gray + np.uint8([20, 0, 0]), gray.copy()
    backlit[:, :32, :6] = backlit[:, :32, -6:] = 200
    before = landmarks.measure(face(), gray)[0]
    for name, image in (("light", lighter), ("warmth", warmer), ("backdrop", backlit)):
        assert landmarks.measure(face(), image)[0][NAMES.index(name)] > before[NAMES.index(name)] + 0.1
    assert landmarks.measure(face(), gray[..., :1])[0][NAMES.index("warmth")] == 0
