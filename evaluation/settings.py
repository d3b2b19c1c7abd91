"""The settings of evaluate.py."""

from dataclasses import dataclass

from cli.kinds import text, whole
from cli.settings import Settings, setting


@dataclass(frozen=True)
class EvaluationSettings(Settings):
    """Which real faces, which checkpoints, how many faces, and where the results go."""

    dataset: str = setting(None, text("DIR"), "the images that the network was trained on (required)", required=True)
    held_out: str = setting(
        None, text("DIR"), "real faces that the network was not trained on, to compare distances with"
    )
    steps: str = setting(
        None,
        text("LIST"),
        'evaluate these checkpoints: "all", or a list such as 500,1000; their curves go to TensorBoard too '
        "(default: the newest)",
    )
    n: int = setting(2000, whole(10, 10_000), "number of generated faces, and of real ones")
    seed: int = setting(0, whole(0), "seed of the generated faces")
    inception: str = setting(
        None,
        text("FILE"),
        "compute FID too, with these weights of Keras' InceptionV3 (imagenet: download them); needs --n 2048 or more",
    )
    log_dir: str = setting("logs", text("DIR"), "folder for the curves of --steps")
    out: str = setting(None, text("DIR"), "folder for the results (default: --checkpoint_dir)")
    cache_dir: str = setting(None, text("DIR"), "folder for the real faces' features (default: --out)")
    workers: int = setting(None, whole(1), "processes (default: one per core)")
