"""dlib's models in the package face_recognition_models."""

import hashlib
import importlib.util
import os

from errors import UserError

PREDICTOR = "shape_predictor_68_face_landmarks.dat"
RECOGNITION = "dlib_face_recognition_resnet_model_v1.dat"
MD5 = {
    PREDICTOR: "73fde5e05226548677a050913eed4e04",  # the landmark model that OpenFace downloads
    RECOGNITION: "2316b25ae80acf4ad9b620b00071c423",  # dlib's face recognition network
}


def find_model(name=PREDICTOR):
    """Path of a model of MD5 in the package face_recognition_models, which is not imported.

    (Its import needs pkg_resources, which new versions of setuptools lack.) Raises ModuleNotFoundError
    if the package is not installed, UserError if the file is damaged.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None:
        raise ModuleNotFoundError("No module named 'face_recognition_models'", name="face_recognition_models")
    path = os.path.join(spec.submodule_search_locations[0], "models", name)
    try:
        with open(path, "rb") as file:
            digest = hashlib.md5(file.read()).hexdigest()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; reinstall the package face_recognition_models") from error
    if digest != MD5[name]:
        raise UserError(f"{path}: corrupt (md5 {digest}); reinstall the package face_recognition_models")
    return path
