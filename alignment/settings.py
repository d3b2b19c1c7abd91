"""The settings of an alignment."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AlignSettings:
    """What align_faces.py's flags say. Names like skipMulti are OpenFace's."""

    input: str  # folder of photos, a container of photos, or a folder of containers
    output: str  # folder of the faces
    size: int  # height and width of a face in pixels
    landmarks: str  # a key of openface.LANDMARKS
    skipMulti: bool  # leave out photos with more than one face
    upsample: int  # times a photo is doubled before detection
    min_size: int  # leave out faces with fewer pixels per side
    predictor: str  # path of a landmark model, or None for the installed one
    workers: int  # processes
    shard: tuple  # (k, n): only the k-th of n parts
    retry: bool  # try photos without a face again
    ignores_case: bool = False  # whether the output's file system does
