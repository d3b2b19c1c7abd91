import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, drawn_faces

from alignment import models
from evaluation import metrics
from recognition import dlib_features


@pytest.mark.parametrize("border, size", [(1 / 4, 288), (1 / 10, 150)])
def test_crops_are_enlarged_with_their_edges_repeated(border, size):
    crop = np.zeros([64, 64, 1], np.uint8)
    crop[:, :32] = 200
    image = dlib_features.enlarge(crop, border, size)
    assert image.shape == (size, size, 3)
    assert (image[:, 0] == 200).all() and (image[:, -1] == 0).all() and (image[0] == image[-1]).all()
    inner = round(size / (1 + 2 * border))
    assert abs(int((image[0, :, 0] > 100).sum()) - size // 2) <= 1 and inner * 2 > size


def test_faces_are_nearer_to_faces_than_noise_is():
    noise = np.random.default_rng(0).integers(0, 256, [24, 64, 64, 3], np.uint8)
    images = np.concatenate([drawn_faces(48), noise])
    features, found = dlib_features.features(images), dlib_features.has_face(images)
    assert features.shape == (72, 128) and features.dtype == np.float32
    real, floor, far = features[:24], features[24:48], features[48:]
    assert metrics.frechet_distance(real, far) > 3 * metrics.frechet_distance(real, floor)
    assert metrics.one_nn_accuracy(real, far) == 1
    assert found[:48].mean() > 0.1 and not found[48:].any()


def test_a_gray_crop_is_looked_at_as_its_colour_twin():
    gray = drawn_faces(3).mean(-1, keepdims=True).astype(np.uint8)
    colour = gray.repeat(3, -1)
    np.testing.assert_array_equal(dlib_features.features(gray), dlib_features.features(colour))


def test_features_are_dlibs_own():
    dlib = pytest.importorskip("dlib")
    network = dlib.face_recognition_model_v1(models.find_model(models.RECOGNITION))
    crops = drawn_faces(70)
    chips = [dlib_features.enlarge(crop, 1 / 10, 150) for crop in crops]
    own = np.array(network.compute_face_descriptor(chips[:2] + chips[-2:]), np.float32)
    ours = dlib_features.features(crops)
    np.testing.assert_allclose(np.concatenate([ours[:2], ours[-2:]]), own, atol=2e-6)


def test_ctrl_c_in_a_terminal_does_not_end_the_detectors_processes(tmp_path):
    """It goes to all processes of the group; the parent decides."""
    code = (
        "import os, signal, sys, threading, time\nimport numpy as np\nfrom recognition import dlib_features\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, lambda *_: None)\n"
        "    threading.Timer(2, lambda: os.killpg(0, signal.SIGINT)).start()\n"
        "    faces = np.zeros([500, 64, 64, 3], np.uint8)\n"
        "    print(len(dlib_features.has_face(faces, workers=2)))\n"
    )
    (tmp_path / "detect.py").write_text(code)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "detect.py")], capture_output=True, text=True, start_new_session=True,
        env=os.environ | {"PYTHONPATH": ROOT},
    )  # fmt: skip
    assert done.stdout.strip().endswith("500") and "Traceback" not in done.stderr, done.stderr
