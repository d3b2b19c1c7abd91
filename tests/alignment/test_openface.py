import sys

import numpy as np
import pytest
from conftest import face_photo

from align_faces import AlignDlib
from alignment import models, openface
from errors import UserError

cv2 = pytest.importorskip("cv2")
dlib = pytest.importorskip("dlib")


@pytest.fixture(scope="module")
def aligner():
    return AlignDlib()


@pytest.fixture(scope="module")
def photo():
    return np.asarray(face_photo())


def bare_calls(rgb, indices, size):
    """The same face by bare calls of dlib and cv2."""
    box = max(dlib.get_frontal_face_detector()(rgb, 1), key=lambda box: box.area())
    shape = dlib.shape_predictor(models.find_model())(rgb, box)
    mean = np.array(openface.TEMPLATE, np.float32)
    mean = (mean - mean.min(0)) / (mean.max(0) - mean.min(0)) * size
    points = np.array([(shape.part(i).x, shape.part(i).y) for i in indices], np.float32)
    return cv2.warpAffine(rgb, cv2.getAffineTransform(points, mean[indices]), (size, size))


@pytest.mark.parametrize("name, indices", [("innerEyesAndBottomLip", [39, 42, 57]), ("outerEyesAndNose", [36, 45, 33])])
@pytest.mark.parametrize("size", [64, 96])
def test_aligned_pixels_equal_bare_calls(aligner, photo, name, indices, size):
    face = aligner.align(size, photo, landmarkIndices=openface.LANDMARKS[name])
    assert face.shape == (size, size, 3)
    np.testing.assert_array_equal(face, bare_calls(photo, indices, size))


def test_landmarks_land_on_their_mean_places(aligner, photo):
    """The aligned face's own eyes and lip, found anew, lie where the template has them."""
    face = aligner.align(256, photo)
    mean = np.array(openface.TEMPLATE)
    mean = (mean - mean.min(0)) / (mean.max(0) - mean.min(0)) * 256
    found = np.array(aligner.findLandmarks(face, dlib.rectangle(0, 0, 255, 255)))
    three = AlignDlib.INNER_EYES_AND_BOTTOM_LIP
    assert np.abs(found[three] - mean[three]).max() < 30


def test_two_faces_the_largest_is_taken_or_none(aligner, photo):
    both = np.full((260, 530, 3), 128, np.uint8)
    both[:256, :256], both[:256, 270:526] = photo, np.asarray(face_photo(1))
    boxes = aligner.getAllFaceBoundingBoxes(both)
    assert len(boxes) == 2
    box = aligner.getLargestFaceBoundingBox(both)
    assert box.area() == max(boxes[0].area(), boxes[1].area())
    assert aligner.getLargestFaceBoundingBox(both, skipMulti=True) is None
    assert aligner.align(64, both, skipMulti=True) is None
    assert len(aligner.findLandmarks(both, box)) == 68


def test_no_face_is_none(aligner):
    assert aligner.align(64, np.zeros((100, 100, 3), np.uint8)) is None


def test_the_template_is_openfaces():
    template = np.array(openface.TEMPLATE)
    assert template.shape == (68, 2)
    assert template[0].tolist() == [0.07923969, 0.33922374]
    np.testing.assert_allclose(template.mean(0), [0.522725, 0.568218], atol=1e-6)


def test_the_model_is_found_without_importing_its_package():
    path = models.find_model()
    assert path.endswith("shape_predictor_68_face_landmarks.dat")
    assert "face_recognition_models" not in sys.modules


def test_missing_model_says_what_to_install(monkeypatch):
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError) as error:
        models.find_model()
    assert error.value.name == "face_recognition_models"  # from which cli.run says what to install


def test_corrupt_model_is_named(monkeypatch, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / models.PREDICTOR).write_bytes(b"half")
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(UserError, match=r"corrupt \(md5 .*reinstall the package"):
        models.find_model()
    with pytest.raises(UserError, match="can't read it as a landmark model"):
        AlignDlib(tmp_path / "models" / models.PREDICTOR)
