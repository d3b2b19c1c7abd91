import collections
import io
import os
import sys

import numpy as np
import odd_metadata
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alignment import inputs
from errors import UserError
from photos import decoding, finding


def gradient(width=12, height=8):
    """An RGB picture that no turn or mirror leaves as it is."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 20, y * 30, 100 + 0 * x], -1).astype(np.uint8))


def found(folder):
    skipped = collections.Counter()
    paths = list(finding.walk_photos(str(folder), lambda path, reason: skipped.update([reason])))
    return paths, dict(skipped)


def test_finds_every_accepted_ending_in_any_case_at_any_depth(tmp_path):
    names = ["a.png", "b.JPG", "c.jpeg", "d.Bmp", "e.webp", "x/y/f.PNG", "x/ü b.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(found(tmp_path)[0]) == sorted(names)


def test_says_what_it_skips_and_why(tmp_path):
    for name in "notes.txt", "Thumbs.db", "README", "._a.png":
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    os.symlink(tmp_path / "gone.png", tmp_path / "broken.png")
    os.symlink(tmp_path / "loop.png", tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    paths, skipped = found(tmp_path)
    assert paths == []
    assert skipped == {
        ".txt": 1,
        ".db": 1,
        "no ending": 1,
        "hidden": 1,
        "broken link": 2,
        "no regular file": 1,
    }


def test_links_are_followed_and_loops_end(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").touch()
    os.symlink(tmp_path / "real", tmp_path / "real" / "loop")
    os.symlink(tmp_path / "real" / "a.png", tmp_path / "link.png")
    assert sorted(found(tmp_path)[0]) == ["link.png", "real/a.png"]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK"])
def test_any_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    original = gradient().convert(mode)
    original.save(path)
    ours = decoding.open_rgb(path)
    assert ours.mode == "RGB"
    tolerance = 12 if mode == "CMYK" else 0  # JPEG
    off = np.abs(np.asarray(ours, int) - np.asarray(original.convert("RGB"), int))
    assert off.max() <= tolerance


def test_sixteen_bit_gray_is_scaled_not_clipped(tmp_path):
    levels = np.linspace(0, 65535, 96).astype(np.uint16).reshape(8, 12)
    Image.fromarray(levels).save(tmp_path / "a.png")
    ours = np.asarray(decoding.open_rgb(tmp_path / "a.png"))
    assert np.abs(ours[..., 0] - levels / 257).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    # The upright picture as a camera held that way stores it
    stored = {
        1: lambda p: p,
        2: np.fliplr,
        3: lambda p: np.rot90(p, 2),
        4: np.flipud,
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: np.rot90(p.swapaxes(0, 1), 2),
        8: lambda p: np.rot90(p, -1),
    }[orientation](np.asarray(gradient()))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(np.asarray(decoding.open_rgb(tmp_path / "a.png")), np.asarray(gradient()))


def test_ending_need_not_tell_the_truth(tmp_path):
    gradient().save(tmp_path / "a.jpg", format="WEBP", lossless=True)
    np.testing.assert_array_equal(np.asarray(decoding.open_rgb(tmp_path / "a.jpg")), np.asarray(gradient()))


@pytest.mark.parametrize(
    "content, reason",
    [(b"", "empty"), (b"hello", "not an image"), ("half", "truncated"), (None, "no such file")],
)
def test_broken_files_give_a_reason(tmp_path, content, reason):
    path = tmp_path / "a.png"
    if content == "half":
        noise = np.random.default_rng(0).integers(0, 256, [64, 64, 3], np.uint8)
        Image.fromarray(noise).save(path)
        content = path.read_bytes()[:6000]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(decoding.PhotoError, match=reason):
        decoding.open_rgb(path)


@pytest.mark.parametrize("side", [10_000, 20_000])  # Pillow warns of the one and raises at the other
def test_bombs_are_refused(tmp_path, side):
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    with pytest.raises(decoding.PhotoError, match="pixels"):
        decoding.open_rgb(tmp_path / "bomb.png")


def test_square_crops_the_centre_and_never_distorts():
    pixels = np.asarray(decoding.square(gradient(12, 8), 8))
    np.testing.assert_array_equal(pixels, np.asarray(gradient(12, 8))[:, 2:10])
    assert decoding.square(gradient(12, 8), 4, crop=6).size == (4, 4)


def test_crop_takes_that_many_pixels_of_the_centre():
    pixels = np.asarray(decoding.square(gradient(12, 8), 4, crop=4))
    np.testing.assert_array_equal(pixels, np.asarray(gradient(12, 8))[2:6, 4:8])
    assert decoding.square(gradient(12, 8), 8, crop=100).size == (8, 8)


@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    size=st.sampled_from([16, 32]),
    crop=st.none() | st.integers(1, 99),
)
def test_any_photo_is_cut_to_the_square_in_its_middle(width, height, size, crop):
    image = gradient(width, height)
    ours = decoding.square(image, size, crop)
    assert (ours.size, ours.mode) == ((size, size), "RGB")
    side = min(width, height, crop or 90)
    left, top = (width - side) // 2, (height - side) // 2
    middle = np.asarray(image)[top : top + side, left : left + side]
    assert middle.min() <= np.asarray(ours).min() and np.asarray(ours).max() <= middle.max()
    if side == size:
        np.testing.assert_array_equal(ours, middle)
    assert min(left, width - side - left) >= 0 and abs(left - (width - side - left)) <= 1


@pytest.mark.parametrize("name", odd_metadata.CASES)
def test_odd_metadata_costs_no_photo_and_training_and_alignment_agree(tmp_path, name):
    content, turned = odd_metadata.CASES[name]
    path = tmp_path / "a.image"
    path.write_bytes(content)
    image = np.asarray(decoding.open_rgb(path))
    expected = np.rot90(odd_metadata.PIXELS, -1) if turned else odd_metadata.PIXELS
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= (8 if "JPEG" in name else 0)
    np.testing.assert_array_equal(inputs.decode(str(path)), image)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_photo_whose_pixels_are_missing_stays_broken(tmp_path, progressive):
    noise = np.random.default_rng(0).integers(0, 256, [40, 60, 3], np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", progressive=progressive)
    path = tmp_path / "a.jpg"
    for lost in (6, 10, 40, 400, 1500):
        path.write_bytes(file.getvalue()[:-lost])
        with pytest.raises(decoding.PhotoError, match="truncated"):
            decoding.open_rgb(path)


@pytest.mark.parametrize("scale", [1, 255])
def test_floats_are_scaled(tmp_path, scale):
    Image.fromarray(np.float32([[0, 0.5], [0.25, 1]]) * scale).save(tmp_path / "a.tif")
    expected = np.array([[0, 127], [63, 255]])
    np.testing.assert_array_equal(np.asarray(decoding.open_rgb(tmp_path / "a.tif"))[..., 0], expected)
    np.testing.assert_array_equal(inputs.decode(str(tmp_path / "a.tif"))[..., 0], expected)


def test_photos_of_iphones_are_read_upright_in_training_and_alignment(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    smooth = gradient().resize((96, 64), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    heif.from_pillow(smooth).save(tmp_path / "a.heic", quality=95)
    heif.from_pillow(smooth.rotate(90, expand=True)).save(tmp_path / "b.HEIC", quality=95, exif=exif.tobytes())
    for name in found(tmp_path)[0]:
        for pixels in (np.asarray(decoding.open_rgb(tmp_path / name)), inputs.decode(str(tmp_path / name))):
            assert pixels.shape == (64, 96, 3)
            assert np.abs(pixels - np.asarray(smooth, float)).mean() < 4


def test_without_pillow_heif_the_message_names_it(tmp_path, monkeypatch):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(600))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    monkeypatch.setattr(decoding, "FORMATS", [name for name in decoding.FORMATS if name != "HEIF"])
    for read in (decoding.open_rgb, inputs.decode):
        with pytest.raises(decoding.PhotoError, match=r"a HEIC photo, which needs .* type: pip install pillow-heif"):
            read(str(tmp_path / "a.heic"))


def test_without_pillow_heif_heic_photos_are_passed_over_and_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(finding, "reads_heic", lambda: False)
    (tmp_path / "a.heic").touch()
    assert found(tmp_path) == ([], {".heic, which needs: pip install pillow-heif": 1})
    with pytest.raises(UserError, match=r"no images in it .*; HEIC photos \(1\) need pillow-heif"):
        finding.photos_at([str(tmp_path)])
    gradient().save(tmp_path / "b.png")
    assert finding.photos_at([str(tmp_path)]) == [str(tmp_path / "b.png")]
    assert "; HEIC photos (1) need pillow-heif: pip install" in capsys.readouterr().out
