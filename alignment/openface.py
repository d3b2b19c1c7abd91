"""OpenFace's face aligner: dlib's HOG detector and 68 landmarks, and an affine transform."""

import cv2
import dlib
import numpy as np

from alignment.models import find_model
from alignment.settings import LANDMARKS
from errors import UserError

# Mean positions of the 68 landmarks, from OpenFace (openface/align_dlib.py).
# Copyright 2015-2016 Carnegie Mellon University. Licensed under the Apache License, Version 2.0:
# http://www.apache.org/licenses/LICENSE-2.0
# fmt: off
TEMPLATE = [
    (0.07923969, 0.33922374), (0.08292195, 0.45695537), (0.09679271, 0.575648), (0.12214152, 0.6919216),
    (0.16868787, 0.80034125), (0.2397894, 0.8957325), (0.32566246, 0.9770688), (0.42231828, 1.04329),
    (0.5317778, 1.0608037), (0.6412963, 1.0398192), (0.7381059, 0.9722688), (0.82444435, 0.88962406),
    (0.8947927, 0.7924942), (0.9393955, 0.6815466), (0.96111935, 0.5622383), (0.97057986, 0.44175893),
    (0.97119325, 0.32211873), (0.16384622, 0.24915174), (0.21780355, 0.20425586), (0.29129934, 0.19236732),
    (0.36746025, 0.20358221), (0.43929452, 0.2331356), (0.586446, 0.22814165), (0.6601527, 0.19592384),
    (0.73746645, 0.18236099), (0.81323653, 0.19282801), (0.87075716, 0.23529337), (0.51534534, 0.31863546),
    (0.51622146, 0.39620045), (0.5171189, 0.47379768), (0.5181643, 0.5531578), (0.43370116, 0.60405445),
    (0.47550124, 0.6207634), (0.5207129, 0.6342682), (0.5658741, 0.6187966), (0.607054, 0.60157675),
    (0.25241873, 0.33105227), (0.29866302, 0.30264637), (0.35574973, 0.30302066), (0.40371898, 0.3386771),
    (0.35250717, 0.34998763), (0.29679176, 0.35047898), (0.6313261, 0.33413666), (0.6790734, 0.29645404),
    (0.73597234, 0.29472128), (0.7828654, 0.32130527), (0.7403123, 0.3418494), (0.6849985, 0.34373432),
    (0.35316777, 0.7461892), (0.41458777, 0.71905386), (0.47767764, 0.70683587), (0.5227329, 0.7170923),
    (0.5698321, 0.7054145), (0.6351958, 0.71565574), (0.6995167, 0.73941916), (0.63944715, 0.8052369),
    (0.57641053, 0.83543664), (0.52539843, 0.8417064), (0.47641546, 0.83750594), (0.4137955, 0.8100456),
    (0.38008478, 0.7499796), (0.477956, 0.7451323), (0.5233898, 0.7489243), (0.5710578, 0.7433289),
    (0.6724091, 0.74417704), (0.5725396, 0.7766093), (0.52401066, 0.7833708), (0.47756124, 0.77847636),
]
# fmt: on


class AlignDlib:
    """OpenFace's aligner: dlib's HOG face detector and landmarks, and an affine transform.

    rgbImg is everywhere uint8 [H, W, 3], RGB. Raises UserError for a facePredictor that is no
    landmark model.
    """

    INNER_EYES_AND_BOTTOM_LIP = LANDMARKS["innerEyesAndBottomLip"]
    OUTER_EYES_AND_NOSE = LANDMARKS["outerEyesAndNose"]

    def __init__(self, facePredictor=None, upsample=1):
        """facePredictor: path of a 68-landmark model (default: the installed one).

        upsample: times the photo is doubled before detection; OpenFace's is 1.
        """
        path = facePredictor or find_model()
        self.upsample = upsample
        self.detector = dlib.get_frontal_face_detector()
        try:
            self.predictor = dlib.shape_predictor(str(path))
        except RuntimeError as error:
            raise UserError(f"{path}: dlib can't read it as a landmark model ({error}); give another one") from error
        landmarks = self.predictor(np.zeros([8, 8, 3], np.uint8), dlib.rectangle(0, 0, 7, 7)).num_parts
        if landmarks != 68:
            raise UserError(f"{path}: a model of {landmarks} landmarks; a model of 68 is needed")

    def getAllFaceBoundingBoxes(self, rgbImg):
        """All faces in the image -> dlib.rectangles."""
        return self.detector(rgbImg, self.upsample)

    def getLargestFaceBoundingBox(self, rgbImg, skipMulti=False):
        """The largest face -> dlib.rectangle; None without a face, or with several and skipMulti."""
        faces = self.getAllFaceBoundingBoxes(rgbImg)
        if not faces or (skipMulti and len(faces) > 1):
            return None
        return max(faces, key=lambda box: box.width() * box.height())

    def findLandmarks(self, rgbImg, bb):
        """The 68 landmarks of the face in box bb -> list of (x, y) in pixels."""
        return [(point.x, point.y) for point in self.predictor(rgbImg, bb).parts()]

    def align(
        self, imgDim, rgbImg, bb=None, landmarks=None, landmarkIndices=INNER_EYES_AND_BOTTOM_LIP, skipMulti=False
    ):
        """The face, with three landmarks moved to their mean places -> uint8 [imgDim, imgDim, 3], RGB.

        bb and landmarks are found unless given. None if no face is found.
        """
        if bb is None:
            bb = self.getLargestFaceBoundingBox(rgbImg, skipMulti)
            if bb is None:
                return None
        if landmarks is None:
            landmarks = self.findLandmarks(rgbImg, bb)
        return cv2.warpAffine(rgbImg, transform(imgDim, landmarks, landmarkIndices), (imgDim, imgDim))


def transform(imgDim, landmarks, landmarkIndices=AlignDlib.INNER_EYES_AND_BOTTOM_LIP):
    """The affine transform that takes a photo's (x, y) to those of its face, aligned -> float64 [2, 3]."""
    template = np.float32(TEMPLATE)
    template = (template - template.min(axis=0)) / (template.max(axis=0) - template.min(axis=0))
    three = np.float32(landmarks)[landmarkIndices]
    return cv2.getAffineTransform(three, imgDim * template[landmarkIndices])
