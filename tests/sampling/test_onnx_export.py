"""The generator as ONNX draws what generate.py draws."""

import sys

import numpy as np
import pytest
from conftest import load_model, load_script

from errors import UserError
from model import DCGAN
from sampling import generation, latents
from sampling.onnx_export import export_onnx


@pytest.mark.parametrize(
    "shape", [dict(), dict(image_size=16, c_dim=1, z_dim=5), dict(image_size=32, gf_dim=[3, 5, 7])]
)
def test_pictures_are_at_most_one_level_from_tensorflows(tmp_path, shape):
    onnxruntime = pytest.importorskip("onnxruntime")
    dcgan = DCGAN(**dict(gf_dim=4, df_dim=4) | shape)
    for i, norm in enumerate(dcgan.generator.norms):  # averages as after some training
        norm.moving_mean.assign(np.linspace(-0.2, 0.3, norm.beta.shape[0]) * (i + 1))
        norm.moving_variance.assign(np.linspace(0.01, 2, norm.beta.shape[0]))
    export_onnx(dcgan, tmp_path / "g.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx")
    for n in (1, 7):
        z = latents.draw(0, range(n), dcgan.z_dim)
        (images,) = session.run(None, {"z": z})
        assert images.dtype == np.uint8
        assert np.abs(images.astype(int) - generation.generate(dcgan, z)).max() <= 1
        assert images.std() > 1


def test_the_script_writes_the_averaged_weights(trained, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "faces.onnx"
    load_script("generate.py").main(["--checkpoint_dir", trained, "--export", str(path)])
    assert "z [N, 8] -> images, uint8" in capsys.readouterr().out
    dcgan, _ = load_model(trained)
    z = latents.draw(0, range(3), 8)
    (images,) = onnxruntime.InferenceSession(path).run(None, {"z": z})
    assert np.abs(images.astype(int) - generation.generate(dcgan, z)).max() <= 1


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match="needs the package onnx; type: pip install onnx"):
        export_onnx(DCGAN(gf_dim=4, df_dim=4), tmp_path / "g.onnx")
