import numpy as np
import pytest
from conftest import load_script
from PIL import Image

import utils
from errors import UserError
from runs import gallery
from training import loop


def test_the_page_shows_each_grid_in_order_beside_the_real_images(tiny):
    config = tiny(sample_every=1)
    loop.train(config)
    page = open(f"{config.sample_dir}/index.html", encoding="utf-8").read()
    shown = [page.index(f'"train_00_{idx:04d}.png"') for idx in range(6)]
    assert shown == sorted(shown, reverse=True) and page.index('"real.png"') < min(shown)
    assert "epoch 0, batch 5" in page


def test_the_gif_has_a_frame_of_each_grid_in_order_and_stays_at_the_last(tmp_path):
    for epoch, idx in ((10, 5), (2, 99), (2, 100)):
        pixels = np.full([8, 8, 3], epoch * 10 + idx // 50, np.uint8)
        utils.save_image(pixels, tmp_path / f"train_{epoch:02d}_{idx:04d}.png")
    assert gallery.animate([str(tmp_path)], tmp_path / "p.gif") == 3
    with Image.open(tmp_path / "p.gif") as gif:
        levels, times = [], []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            levels.append(gif.convert("RGB").getpixel((0, 0))[0])
            times.append(gif.info["duration"])
    np.testing.assert_allclose(levels, [21, 22, 100], atol=6)  # a GIF has few colours
    assert times[-1] >= 1000 > times[0]


def test_explore_makes_the_gif_from_the_runs_own_folders(tiny, tmp_path, capsys):
    config = tiny(sample_every=2)
    loop.train(config)
    explore = load_script("explore.py")
    out = str(tmp_path / "out")
    assert explore.main(["progress", "--checkpoint_dir", config.checkpoint_dir, "--out", out]) == 0
    assert "3 sample grids" in capsys.readouterr().out
    with pytest.raises(UserError, match="no sample grids in"):
        gallery.animate([], "p.gif")
