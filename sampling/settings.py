"""The settings of complete.py and of `explore.py project`. Names and defaults are the original's, where it has them."""

from dataclasses import dataclass

from cli.kinds import one_of, real, text, whole
from cli.settings import Settings, setting

ITERATIONS = dict(adam=1000, hmc=1000, lbfgs=20)  # the original's, and what docs/evaluation.md found enough
GROUPS = ("what is hidden", "results", "search", "Adam", "Hamiltonian Monte Carlo", "only for old commands")


@dataclass(frozen=True)
class SearchSettings(Settings):
    """How z is searched."""

    approach: str = setting(
        "adam",
        one_of("adam", "hmc", "lbfgs"),
        "how to search z: the original's two ways, or SciPy's L-BFGS-B, which is as good and much faster",
        "search",
    )
    nIter: int = setting(None, whole(1), "iterations (default: 1000, or 20 with lbfgs)", "search")
    outInterval: int = setting(50, whole(1), "iterations between grids", "search")
    lam: float = setting(0.1, real(0), "weight of the perceptual loss", "search")
    restarts: int = setting(1, whole(1, 64), "searches per photo, of which the best is kept", "search")
    seed: int = setting(0, whole(0), "seed of the first z and of random masks", "search")
    lr: float = setting(0.01, real(0), "learning rate", "Adam")
    beta1: float = setting(0.9, real(0, 1), "decay rate of the first moment", "Adam")
    beta2: float = setting(0.999, real(0, 1), "decay rate of the second moment", "Adam")
    eps: float = setting(1e-8, real(0), "epsilon", "Adam")
    hmcBeta: float = setting(0.2, real(0), "inverse temperature", "Hamiltonian Monte Carlo")
    hmcEps: float = setting(0.001, real(0), "size of a leapfrog step", "Hamiltonian Monte Carlo")
    hmcL: int = setting(100, whole(1), "leapfrog steps per iteration", "Hamiltonian Monte Carlo")
    hmcAnneal: float = setting(1.0, real(0), "factor of hmcBeta per iteration", "Hamiltonian Monte Carlo")

    def __post_init__(self):
        super().__post_init__()
        if self.nIter is None:
            object.__setattr__(self, "nIter", ITERATIONS[self.approach])


@dataclass(frozen=True)
class CompletionSettings(SearchSettings):
    """What is hidden, how z is searched, and where the results go."""

    outDir: str = setting("completions", text("DIR"), "folder for the results, new or empty", "results")
    maskType: str = setting(
        "center",
        one_of("random", "center", "left", "full", "grid", "lowres"),
        "what is hidden. random: a fifth of the pixels; center: the middle; left: the left half; full: nothing; grid: "
        "all but every fourth pixel in each direction; lowres: all but the means of 8x8 blocks",
        "what is hidden",
    )
    centerScale: float = setting(
        0.25, real(0, 0.5), "where the hidden middle begins, as a share of the side", "what is hidden"
    )
    mask: str = setting(
        None, text("FILE"), "a mask of your own: a picture, black where the photo is hidden", "what is hidden"
    )
    align: bool = setting(
        False,
        None,
        "find and align the face in each photo first, and put the completed face back into the photo",
        "results",
    )
    blend: bool = setting(False, None, "fill the hole without a seam (Poisson blending)", "results")
    precision: str = setting(
        "float32", one_of("float32", "bfloat16"), "number format of convolutions and matrix products", "search"
    )
    imgSize: int = setting(None, whole(1), "leave it out; must equal the network's image size", "only for old commands")


@dataclass(frozen=True)
class ProjectionSettings(SearchSettings):
    """How z is searched for a whole photo.

    Chosen by trials on eight photos that were held out (median PSNR of G(z) after 500 iterations): a learning rate of
    0.03 instead of completion's 0.01 gives 0.7 dB, four restarts 0.4 dB more; 1,000 iterations 0.2 dB more.
    """

    nIter: int = setting(500, whole(1), "iterations")
    restarts: int = setting(4, whole(1, 64), "searches per photo, of which the best is kept")
    seed: int = setting(0, whole(0), "seed of the first z")
    lr: float = setting(0.03, real(0), "learning rate", "Adam")
