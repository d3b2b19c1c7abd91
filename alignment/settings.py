"""The settings of align_faces.py. Names like skipMulti are OpenFace's."""

import re
from dataclasses import dataclass

from cli.kinds import Kind, one_of, text, whole
from cli.settings import Settings, setting

# OpenFace's choices of three of the 68 landmarks, by their numbers
LANDMARKS = {"innerEyesAndBottomLip": [39, 42, 57], "outerEyesAndNose": [36, 45, 33]}


def _shard(text):
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match:
        raise ValueError
    return int(match[1]), int(match[2])


FOLDER = text("DIR")
SHARD = Kind(_shard, "K/N with K from 1 to N, such as 3/16", lambda shard: 1 <= shard[0] <= shard[1], "K/N")


@dataclass(frozen=True)
class AlignSettings(Settings):
    """What is aligned, how, and by how many processes."""

    input: str = setting(None, FOLDER, "folder of photos, or a container of photos", positional=True)
    output: str = setting(None, FOLDER, "folder for the aligned faces", positional=True)
    size: int = setting(64, whole(8, 1024), "height and width of the faces in pixels")
    landmarks: str = setting(
        "innerEyesAndBottomLip", one_of(*LANDMARKS), "the landmarks that are moved to their mean places"
    )
    skipMulti: bool = setting(False, None, "leave out photos with more than one face")
    upsample: int = setting(
        1, whole(0, 4), "how often to double the photo's size before detection; 2 finds smaller faces"
    )
    min_size: int = setting(0, whole(0), "leave out faces with fewer pixels per side")
    predictor: str = setting(None, text("PATH"), "a 68-landmark model of your own")
    workers: int = setting(None, whole(1), "processes (default: one per core)")
    shard: tuple = setting(None, SHARD, "align only the K-th of N parts, for N machines with one output folder")
    retry: bool = setting(False, None, "try again the photos that gave no face: none found, skipped or unreadable")
