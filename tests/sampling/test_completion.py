import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, TF1, face_photo, load_model, load_script, run_script
from PIL import Image

from errors import UserError
from sampling import blending, completion, completion_files, latents
from sampling.settings import ProjectionSettings, SearchSettings

complete = load_script("complete.py")
KINDS = ["random", "center", "left", "full", "grid", "lowres"]


@pytest.fixture(scope="module")
def dcgan():
    return load_model(TF1)[0]


def settings(**changes):
    return SearchSettings(**dict(
        approach="adam", lr=0.05, beta1=0.9, beta2=0.999, eps=1e-8, hmcBeta=1e4, hmcEps=0.01, hmcL=10, hmcAnneal=1.0,
        nIter=20, outInterval=10, lam=0.1, restarts=1, seed=0,
    ) | changes)  # fmt: skip


def search(dcgan, images, mask, lowres=False, **changes):
    """The reports of a search."""
    masks = np.repeat(mask[None], len(images), axis=0)
    return list(completion.Search(dcgan, settings(**changes), lowres).reports(images, masks))


def some_images(dcgan, n):
    """Pictures that the network itself draws, so that they can be found again."""
    return dcgan.sample(np.random.default_rng(5).uniform(-1, 1, [n, 8]).astype(np.float32)).numpy()


@pytest.mark.parametrize(
    "kind, unknown", [("random", 0.2), ("center", 0.25), ("left", 0.5), ("full", 0), ("grid", 15 / 16), ("lowres", 1)]
)
def test_masks_hide_what_they_name(kind, unknown):
    mask = completion.make_mask(kind, 64)
    assert mask.shape == (64, 64, 1) and set(np.unique(mask)) <= {0, 1}
    assert (mask == 0).mean() == pytest.approx(unknown, abs=0.02)
    if kind == "center":
        assert not mask[16:48, 16:48].any() and mask[15, 16] and mask[48, 47]


@pytest.mark.parametrize(
    "approach, kind",
    [
        *((approach, kind) for approach in ("adam", "lbfgs") for kind in KINDS),
        *(pytest.param("hmc", kind, marks=[pytest.mark.soak] * (kind not in ("center", "lowres"))) for kind in KINDS),
    ],
)
def test_every_mask_lowers_its_loss_and_keeps_z_in_bounds(dcgan, approach, kind):
    # Cold enough for the small losses of a network that has hardly learned
    cold = 1e6 if kind == "lowres" else 1e4
    images, mask = some_images(dcgan, 2), completion.make_mask(kind, 64)
    reports = search(dcgan, images, mask, kind == "lowres", approach=approach, hmcBeta=cold)
    assert [report[0] for report in reports] == [0, 10, 20]
    loss = [contextual + 0.1 * perceptual for *_, contextual, perceptual in reports]
    assert (loss[-1] < loss[0]).all()
    assert all(np.abs(z).max() <= 1 for _, z, *_ in reports)


def test_loss_is_the_originals(dcgan):
    image, mask = some_images(dcgan, 1), completion.make_mask("left", 64)
    _, z, generated, contextual, perceptual = search(dcgan, image, mask, nIter=1)[0]
    np.testing.assert_allclose(generated, dcgan.sample(z), atol=1e-5)
    assert contextual[0] == pytest.approx(np.abs(mask * generated - mask * image).sum(), rel=1e-4)
    probability = dcgan.discriminator(generated)[0].numpy()[0, 0]
    assert perceptual[0] == pytest.approx(-np.log(probability), rel=1e-4)


def test_one_adam_step_is_the_originals(dcgan):
    """The first step of Adam moves each number by lr, against its gradient's sign."""
    first, second = search(dcgan, some_images(dcgan, 1), completion.make_mask("center", 64), nIter=1, lr=0.01)
    np.testing.assert_allclose(np.abs(second[1] - first[1]), 0.01, rtol=1e-2)


@pytest.mark.parametrize("approach", ["adam", "hmc", "lbfgs"])
def test_a_result_does_not_depend_on_the_others(dcgan, approach):
    images, mask = some_images(dcgan, 3), completion.make_mask("center", 64)
    together = search(dcgan, images, mask, approach=approach)[-1]
    alone = search(dcgan, images[2:], mask, approach=approach)[-1]
    np.testing.assert_array_equal(together[1][2], alone[1][0])


def test_lbfgs_needs_a_tenth_of_adams_iterations(dcgan, monkeypatch):
    images, mask = some_images(dcgan, 2), completion.make_mask("center", 64)
    flags = dict(approach="lbfgs", nIter=20, outInterval=20)
    first, typical = search(dcgan, images, mask, **flags)
    assert (first[1] == 0).all() and np.linalg.norm(typical[1], axis=1).min() > 0
    monkeypatch.setattr(completion, "TYPICAL", 0)
    free = search(dcgan, images, mask, **flags)[-1]
    adam = search(dcgan, images, mask, nIter=200, outInterval=200, lr=0.01)[-1]
    assert (free[3] < adam[3]).all()
    assert (np.linalg.norm(free[1], axis=1) > np.linalg.norm(typical[1], axis=1)).all()


@pytest.mark.parametrize("kind", ["center", "grid", "lowres"])
def test_lbfgs_searches_as_well_where_little_is_known(kind):
    dcgan, _ = load_model(os.path.join(ROOT, "networks", "faces"))
    images, mask = dcgan.sample(latents.draw(0, [23, 51], dcgan.z_dim)).numpy(), completion.make_mask(kind, 64)
    first, last = search(dcgan, images, mask, kind == "lowres", approach="lbfgs", nIter=20, outInterval=20)
    assert (last[3] < 0.5 * first[3]).all()


def test_the_number_of_iterations_follows_the_approach():
    assert [SearchSettings(approach=approach).nIter for approach in ("adam", "hmc", "lbfgs")] == [1000, 1000, 20]
    assert SearchSettings(approach="lbfgs", nIter=7).nIter == 7 and ProjectionSettings().nIter == 500


def test_the_best_restart_is_kept(dcgan):
    image, mask = some_images(dcgan, 1), completion.make_mask("center", 64)
    one, many = (search(dcgan, image, mask, restarts=restarts)[-1] for restarts in (1, 5))
    assert many[3][0] + 0.1 * many[4][0] <= one[3][0] + 0.1 * one[4][0] + 1e-3


def test_blending_takes_gradients_and_meets_the_rim():
    rng = np.random.default_rng(0)
    image = rng.uniform(-0.5, 0.5, [16, 16, 3]).astype(np.float32)
    mask = completion.make_mask("center", 16)
    np.testing.assert_allclose(blending.blend(image, image + 0.3, mask), image, atol=1e-5)  # a shift goes away
    ours = blending.blend(image, rng.uniform(-0.5, 0.5, image.shape), mask)
    np.testing.assert_array_equal(ours[mask[..., 0] == 1], image[mask[..., 0] == 1])
    for kind in ("full", "lowres"):
        mask = completion.make_mask(kind, 16)
        expected = image if kind == "full" else image + 0.1
        np.testing.assert_allclose(blending.blend(image, image + 0.1, mask), expected, atol=1e-6)


def test_lowres_shows_the_means_of_blocks():
    pixels = np.arange(16 * 16, dtype=np.uint8).reshape(1, 16, 16, 1)
    shown = completion.known_blocks(pixels)
    assert shown.shape == pixels.shape
    assert (shown[0, :8, 8:] == pixels[0, :8, 8:].mean()).all()


def test_psnr_is_that_of_the_hole():
    mask = completion.make_mask("left", 8)
    a, b = np.zeros([8, 8, 3]), np.full([8, 8, 3], 0.2)
    assert blending.psnr(a, b, mask) == pytest.approx(20.0)
    assert blending.psnr(a, a, mask) == blending.psnr(a, b, np.ones_like(mask)) == float("inf")


@pytest.fixture
def photos(tmp_path):
    paths = [str(tmp_path / f"{i}.png") for i in range(5)]
    for i, path in enumerate(paths):
        face_photo(i, side=80).save(path)
    return paths


def test_script_leaves_all_photos_of_all_batches(photos, tmp_path, capsys):
    out = tmp_path / "out"
    flags = ["--checkpointDir", TF1, "--nIter", "5", "--outInterval", "2", "--outDir", str(out), "--blend"]
    assert complete.main([*flags, *photos]) == 0
    assert sorted(os.listdir(out)) == ["before.png", "completed", "hats_imgs", "logs", "masked.png", "overview.png"]
    grids = ["0000.png", "0002.png", "0004.png", "0005.png"]
    assert sorted(os.listdir(out / "hats_imgs")) == grids
    assert sorted(os.listdir(out / "completed")) == grids + [f"photo_{i}.png" for i in range(5)]
    for grid in (out / "before.png", out / "masked.png", out / "completed" / "0005.png"):
        with Image.open(grid) as image:
            assert image.size == (192, 128)  # five photos, though a batch holds four
    with Image.open(out / "overview.png") as image:
        assert image.size == (3 * 192, 5 * (192 + 18))  # before, hidden, completed, with captions
    assert len((out / "logs" / "hats_04.log").read_text().splitlines()) == 4
    printed = capsys.readouterr().out
    assert printed.count("PSNR in the hole") == 5 and "s per photo" in printed


def test_own_mask_is_black_where_unknown(photos, tmp_path):
    hole = Image.new("L", (64, 64), 255)
    hole.paste(0, (0, 0, 64, 10))
    hole.save(tmp_path / "mask.png")
    flags = [
        "--checkpoint_dir",
        TF1,
        "--nIter",
        "1",
        "--outDir",
        str(tmp_path / "o"),
        "--mask",
        str(tmp_path / "mask.png"),
    ]
    complete.main([*flags, photos[0]])
    before, after = (np.asarray(Image.open(tmp_path / "o" / name)) for name in ("before.png", "completed/photo_0.png"))
    np.testing.assert_array_equal(before[10:], after[10:])
    assert (before[:10] != after[:10]).mean() > 0.9


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere.png"], "nowhere.png: no such file"),
        (["0.png", "--mask", "nowhere.png"], "--mask nowhere.png: no such file"),
        (["0.png", "--imgSize", "32"], "--imgSize 32: the network draws 64 pixels"),
        (["0.png", "--outDir", "."], "--outDir .: is not empty"),
    ],
)
def test_bad_input_is_refused(photos, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        complete.main(["--checkpoint_dir", TF1, *arguments])
    assert not os.path.exists("completions")


def brush(mode, background, colour):
    """A mask with a square painted in its middle."""
    mask = Image.new(mode, (64, 64), background)
    mask.paste(colour, (16, 16, 48, 48))
    return mask


@pytest.mark.parametrize(
    "mask",
    [
        brush("L", 255, 0),
        brush("1", 1, 0),
        brush("L", 1, 0),  # of zeros and ones
        brush("RGBA", (0, 0, 0, 0), (0, 0, 0, 255)),  # a black brush on a transparent layer
        brush("LA", (255, 255), (0, 255)),
    ],
    ids=["gray", "bitmap", "zeros and ones", "transparent layer", "with alpha"],
)
def test_a_mask_hides_what_is_black_however_it_is_stored(tmp_path, mask):
    mask.save(tmp_path / "mask.png")
    assert completion_files.read_mask(tmp_path / "mask.png", 64).mean() == 0.75


@pytest.mark.parametrize(
    "mask, hides",
    [
        (Image.new("L", (64, 64)), "everything"),
        (Image.new("L", (64, 64), 255), "nothing"),
        (brush("RGBA", (0, 0, 0, 0), (255, 255, 255, 255)), "nothing"),  # a white brush
    ],
)
def test_a_mask_that_hides_all_or_nothing_is_refused(tmp_path, mask, hides):
    mask.save(tmp_path / "mask.png")
    with pytest.raises(UserError, match=f"mask.png: hides {hides}; paint black what is to be hidden"):
        completion_files.read_mask(tmp_path / "mask.png", 64)


@pytest.mark.parametrize(
    "number, code", [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.soak)]
)
def test_an_interruption_keeps_what_is_there_and_says_so(photos, tmp_path, number, code):
    out = tmp_path / "out"
    command = [sys.executable, os.path.join(ROOT, "complete.py"), "--checkpointDir", TF1, "--nIter", "1000000"]
    command += ["--outInterval", "5", "--outDir", str(out), *photos]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    deadline = time.time() + 100
    while not (out / "completed" / "0010.png").exists() and time.time() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    printed = process.stdout.read()
    assert process.wait() == code
    assert "interrupted after" in printed and printed.count("PSNR in the hole") == 5
    assert {f"photo_{i}.png" for i in range(5)} < set(os.listdir(out / "completed"))
    assert (out / "overview.png").exists()


def test_folders_are_taken_and_the_aligners_own_files_are_passed_over(trained, tmp_path):
    """As when a shell expands aligned/*, which the article types."""
    (tmp_path / "aligned").mkdir()
    for i in range(2):
        face_photo(side=64).save(tmp_path / "aligned" / f"{i}.png")
    (tmp_path / "aligned" / "report.csv").write_text("input,output\n")
    for k, arguments in enumerate(([tmp_path / "aligned"], sorted((tmp_path / "aligned").iterdir()))):
        out = tmp_path / f"out{k}"
        done = run_script("complete.py", "--checkpoint_dir", trained, "--nIter", 2, "--outDir", out, *arguments)
        assert done.returncode == 0, done.stderr
        assert {"photo_0.png", "photo_1.png"} <= set(os.listdir(out / "completed"))
    assert re.match(r"network: .*, step 6, trained on .*, 20\d\d-", done.stdout)
    assert "warning: it has trained for 6 batches only" in done.stdout
    arguments = ["--checkpoint_dir", trained, "--outDir", tmp_path / "n", tmp_path / "aligned" / "report.csv"]
    done = run_script("complete.py", *arguments)
    assert done.returncode == 2 and "no photos; give photos, or a folder of photos" in done.stderr


def test_a_mask_of_ones_own_and_a_kind_of_mask_are_not_both_taken(trained, tmp_path):
    command = ["--checkpoint_dir", trained, "--mask", "m.png", "--maskType", "left", "a.png"]
    done = run_script("complete.py", *command, cwd=tmp_path)
    assert done.returncode == 2 and "leave out --maskType" in done.stderr


def test_the_next_free_folder_is_named(trained, tmp_path):
    (tmp_path / "completions" / "old").mkdir(parents=True)
    (tmp_path / "completions-2").mkdir()
    done = run_script("complete.py", "--checkpoint_dir", trained, "a.png", cwd=tmp_path)
    assert done.returncode == 2 and "is not empty; name a new folder, such as completions-3" in done.stderr


def test_an_aligned_completion_is_also_put_back_into_its_photo(trained, tmp_path):
    photo = Image.new("RGB", (320, 300), "gray")
    photo.paste(face_photo(4, 200), (40, 60))
    photo.save(tmp_path / "party.png")
    arguments = ["--checkpoint_dir", trained, "--nIter", 2, "--align", "--outDir", tmp_path / "o"]
    done = run_script("complete.py", *arguments, tmp_path / "party.png")
    assert done.returncode == 0, done.stderr
    assert "and each, also put back into its photo, in " in done.stdout and "not aligned" not in done.stdout
    with Image.open(tmp_path / "o" / "completed" / "whole_party.png") as whole:
        assert whole.size == (320, 300)
        assert np.asarray(whole)[:40].std() == 0 and np.any(np.asarray(whole) != np.asarray(photo))


def test_hmc_that_accepts_nothing_says_so(trained, tmp_path):
    face_photo(side=64).save(tmp_path / "a.png")
    for eps, beta, says in ((50, 1e6, True), (1e-6, 0.2, False)):
        arguments = ["--approach", "hmc", "--nIter", 2, "--hmcL", 3, "--hmcEps", eps, "--hmcBeta", beta]
        arguments += ["--outDir", tmp_path / f"o{eps}"]
        done = run_script("complete.py", "--checkpoint_dir", trained, *arguments, tmp_path / "a.png")
        assert done.returncode == 0, done.stderr
        assert ("HMC accepted no proposal for 1 of 1 photos; a smaller --hmcEps" in done.stdout) == says
