"""The settings that a network is drawn with. settings.json is checked by them, and training's settings extend them."""

import dataclasses
from dataclasses import dataclass
from functools import partial

from cli.kinds import DECAY, SIZE, WIDTH, one_of
from cli.settings import Settings, setting

IMAGE_SIZES = (16, 32, 64, 128, 256)  # 64 is the article's; model.py builds the others by the same rule
network = partial(setting, group="network")


@dataclass(frozen=True)
class NetworkSettings(Settings):
    """What a network's shapes follow from, and what else its pictures depend on.

    defines: the setting is part of what a run is, so a resume with another value is refused.
    """

    image_size: int = network(64, one_of(*IMAGE_SIZES), "height and width of the images in pixels", defines=True)
    c_dim: int = network(3, one_of(1, 3), "channels: 3 for colour, 1 for gray", defines=True)
    z_dim: int = network(100, SIZE, "length of z", defines=True)
    gf_dim: int = network(64, WIDTH, "width of the generator's last hidden layer", defines=True)
    df_dim: int = network(64, WIDTH, "width of the discriminator's first layer", defines=True)

    ema: float = network(
        None, DECAY, "draw samples with a moving average of the generator's weights, with this decay; 0.999 gives "
        "better faces (default: no average, as in the original)", defines=True)  # fmt: skip
    precision: str = network(
        "float32", one_of("float32", "bfloat16", "auto"), "number format of convolutions and matrix products; auto is "
        "bfloat16 on a CPU that multiplies it in hardware, else float32")  # fmt: skip


SHAPES = ("image_size", "z_dim", "gf_dim", "df_dim", "c_dim")  # the settings that the networks' shapes follow from
DRAWING = tuple(field.name for field in dataclasses.fields(NetworkSettings))
