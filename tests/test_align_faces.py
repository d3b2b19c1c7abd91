"""align_faces.py as a person runs it: a process of its own."""

import base64
import csv
import ctypes
import fcntl
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, face_photo, run_script
from PIL import Image

from alignment import models
from photos import decoding

pytest.importorskip("cv2")
pytest.importorskip("dlib")


def obey_permissions():
    """Give up root's right to read what it may not: in the child, before it becomes the program."""
    if os.getuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, dropped by PR_CAPBSET_DROP
            assert ctypes.CDLL(None).prctl(24, capability) == 0


def align(*arguments, code=0, **more):
    done = run_script("align_faces.py", *arguments, **more)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def report(folder, name="report.csv"):
    with open(os.path.join(folder, name), newline="", errors="surrogateescape") as file:
        return {row["input"]: row for row in csv.DictReader(file)}


def faces_in(folder):
    """{name: bytes} of the PNGs in a folder."""
    names = [name for name in os.listdir(folder) if not name.startswith(".") and not name.startswith("report")]
    return {name: open(os.path.join(folder, name), "rb").read() for name in names}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A folder of photos of persons, numbered alike, and one without a face."""
    folder = tmp_path_factory.mktemp("raw")
    for person in ("ada", "bob"):
        (folder / person).mkdir()
        for i in range(3):
            face_photo(i + 3 * (person == "bob")).save(folder / person / f"{i:03d}.jpg")
    Image.new("RGB", (200, 200), "gray").save(folder / "wall.png")
    return folder


@pytest.fixture(scope="module")
def aligned(raw, tmp_path_factory):
    """The faces of `raw`, and what the program printed."""
    folder = tmp_path_factory.mktemp("out") / "aligned"
    return folder, align(raw, folder)


def test_every_face_gets_a_file_of_its_own_in_one_flat_folder(aligned):
    folder, done = aligned
    names = sorted(faces_in(folder))
    assert names == [f"{person}__{i:03d}.jpg.png" for person in ("ada", "bob") for i in range(3)]
    for name in names:
        with Image.open(folder / name) as face:
            assert (face.size, face.mode) == ((64, 64), "RGB")
    assert "6 faces, 1 without a face of 7 photos" in done.stdout
    assert "photos/s" in done.stdout and f"report: {folder}/report.csv" in done.stdout


def test_report_tells_what_became_of_each_photo(aligned):
    rows = report(aligned[0])
    assert len(rows) == 7
    assert rows["wall.png"] == dict(input="wall.png", output="", outcome="no face", faces="0", box="", reason="")
    row = rows["ada/001.jpg"]
    assert (row["outcome"], row["output"], row["faces"]) == ("face", "ada__001.jpg.png", "1")
    left, top, right, bottom = map(int, row["box"].split())
    assert 0 < left < right < 256 and 0 < top < bottom < 256


def test_training_takes_the_folder_as_it_is(aligned, tmp_path):
    flags = ["--epoch=1", "--batch_size=3", "--gf_dim=4", "--df_dim=4"]
    done = run_script("train-dcgan.py", "--dataset", aligned[0], *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\n6 images in" in done.stdout


def test_second_run_does_only_what_is_missing(raw, aligned, tmp_path):
    folder = tmp_path / "raw" / "out"
    shutil.copytree(raw, tmp_path / "raw")
    before = faces_in(aligned[0])
    align(tmp_path / "raw", folder)  # the output inside the input: not taken for photos
    os.remove(folder / "ada__001.jpg.png")
    stamps = {name: os.stat(folder / name).st_mtime_ns for name in faces_in(folder)}
    done = align(tmp_path / "raw", folder)
    assert "1 of them now" in done.stdout
    assert faces_in(folder) == before
    assert all(os.stat(folder / name).st_mtime_ns == stamp for name, stamp in stamps.items())
    done = align(tmp_path / "raw", folder)
    assert "now" not in done.stdout
    done = align(tmp_path / "raw", folder, "--retry")
    assert "1 of them now" in done.stdout  # the wall


def test_size_landmarks_and_inspect(raw, tmp_path):
    done = align(raw, tmp_path / "o", "--size", 32, "--landmarks", "outerEyesAndNose", "--inspect", tmp_path / "i.png")
    with Image.open(tmp_path / "o" / "ada__000.jpg.png") as face:
        assert face.size == (32, 32)
    with Image.open(tmp_path / "i.png") as sheet:
        assert sheet.size == (3 * 32, 2 * 32)
    assert f"a sheet of the faces: {tmp_path / 'i.png'}" in done.stdout
    refused = align(raw, tmp_path / "o", "--size", 64, "--landmarks", "outerEyesAndNose", code=2)
    assert "was filled with --size 32, not 64" in refused.stderr
    other = align(tmp_path, tmp_path / "o", "--size", 32, "--landmarks", "outerEyesAndNose", code=2)
    assert "was filled with input" in other.stderr


def test_several_small_and_missing_faces_are_told_apart(tmp_path):
    (tmp_path / "raw").mkdir()
    both = Image.new("RGB", (530, 260), "gray")
    both.paste(face_photo(0), (0, 0))
    both.paste(face_photo(1), (270, 0))
    both.save(tmp_path / "raw" / "two.png")
    face_photo(0, side=128).save(tmp_path / "raw" / "small.png")
    face_photo(0).save(tmp_path / "raw" / "one.png")
    align(tmp_path / "raw", tmp_path / "out", "--skipMulti", "--min_size", 80)
    rows = report(tmp_path / "out")
    assert (rows["two.png"]["outcome"], rows["two.png"]["reason"]) == ("skipped", "several faces")
    assert (rows["small.png"]["outcome"], rows["small.png"]["reason"]) == ("skipped", "face smaller than 80 pixels")
    assert rows["one.png"]["outcome"] == "face"
    assert list(faces_in(tmp_path / "out")) == ["one.png.png"]


def test_upsample_finds_smaller_faces(tmp_path):
    (tmp_path / "raw").mkdir()
    face_photo(0, side=64).save(tmp_path / "raw" / "tiny.png")
    none = align(tmp_path / "raw", tmp_path / "one", "--upsample", 0, code=2)
    assert "no face was found in any photo: are the faces large enough? --upsample 2" in none.stdout
    align(tmp_path / "raw", tmp_path / "two", "--upsample", 2)
    assert report(tmp_path / "one")["tiny.png"]["outcome"] == "no face"
    assert report(tmp_path / "two")["tiny.png"]["outcome"] == "face"


@pytest.fixture(scope="module")
def any_photo(tmp_path_factory):
    """Rows of the report of a folder with every odd photo, and its output folder."""
    raw = tmp_path_factory.mktemp("odd") / "raw"
    raw.mkdir()
    face = face_photo()
    face.convert("L").save(raw / "gray.png")
    face.convert("RGBA").save(raw / "rgba.png")
    face.convert("CMYK").save(raw / "cmyk.jpg")
    face.quantize(256).save(raw / "palette.png")
    face.save(raw / "plain.PNG")
    Image.fromarray(np.asarray(face.convert("L"), np.uint16) * 257).save(raw / "sixteen.png")
    still = dict(save_all=True, append_images=[Image.new("RGB", face.size)])
    face.save(raw / "animated.gif", **still)
    face.save(raw / "animated.webp", lossless=True, **still)
    face.save(raw / "animated.png", **still)
    face.save(raw / "wrong.jpg", format="WEBP", lossless=True)
    face.save(raw / "no ending", format="PNG")
    face.save(raw / "ünïcödé 字 name.png")
    face.save(raw / "tiff.tif")
    face.save(raw / "jpeg2000.jp2")
    for ending in ("jpg", "png", "webp", "tif"):
        exif = Image.Exif()
        exif[0x0112] = 6  # the camera was turned: stored lying
        lying = face.transpose(Image.Transpose.ROTATE_90)
        lying.save(raw / f"turned.{ending}", exif=exif, **({"lossless": True} if ending == "webp" else {}))
    data = (raw / "plain.PNG").read_bytes()
    (raw / "truncated.png").write_bytes(data[: len(data) // 2])
    face.save(raw / "whole.jpg", quality=95)
    data = (raw / "whole.jpg").read_bytes()
    (raw / "end missing.jpg").write_bytes(data[:-50])
    (raw / "photo.jpg?w=600").write_bytes(data)
    (raw / "empty.jpg").touch()
    (raw / "text.jpg").write_text("not a photo")
    (raw / "notes.txt").touch()
    (raw / "folder.jpg").mkdir()
    face.save(raw / "folder.jpg" / "inner.png")
    os.symlink(raw, raw / "folder.jpg" / "loop")
    os.symlink(raw / "nowhere.png", raw / "broken.png")
    os.symlink(raw / "itself.png", raw / "itself.png")
    Image.new("1", (10_000, 10_000)).save(raw / "bomb.png")
    face.save(raw / "secret.png")
    os.chmod(raw / "secret.png", 0)
    (raw / "locked").mkdir()
    os.chmod(raw / "locked", 0)
    out = raw.parent / "out"
    done = align(raw, out, preexec_fn=obey_permissions)
    return report(out), out, done


FACES = (
    "gray.png rgba.png cmyk.jpg palette.png plain.PNG sixteen.png animated.gif animated.webp animated.png "
    "wrong.jpg ünïcödé*字*name.png no*ending tiff.tif jpeg2000.jp2 turned.jpg turned.png turned.webp turned.tif "
    "folder.jpg/inner.png end*missing.jpg photo.jpg?w=600"
)


@pytest.mark.parametrize("name", FACES.split())
def test_any_photo_is_aligned_as_a_viewer_shows_it(any_photo, name):
    rows, out, _ = any_photo
    name = name.replace("*", " ")
    assert rows[name]["outcome"] == "face", rows[name]["reason"]
    ours = np.asarray(Image.open(os.path.join(out, rows[name]["output"])), float)
    plain = np.asarray(Image.open(os.path.join(out, "plain.PNG.png")), float)
    if any(word in name for word in ("gray", "sixteen")):
        plain = np.repeat(plain @ [[0.299], [0.587], [0.114]], 3, axis=2)
    assert np.abs(ours - plain).mean() < 12  # lying, or the wrong frame, would be 50 off


@pytest.mark.parametrize(
    "name, reason",
    [
        ("truncated.png", "truncated"),
        ("empty.jpg", "empty"),
        ("text.jpg", "not an image"),
        ("bomb.png", "10000x10000 pixels, more than 89,478,485"),
        ("secret.png", "permission denied"),
        ("locked", "folder: permission denied"),
        ("broken.png", "broken link"),
        ("itself.png", "broken link"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_reason(any_photo, name, reason):
    row = any_photo[0][name]
    assert row["outcome"] == "unreadable" and reason in row["reason"]


def test_what_is_no_photo_is_counted(any_photo):
    rows, _, done = any_photo
    assert {"notes.txt", "folder.jpg"}.isdisjoint(rows)
    assert not any("folder.jpg/loop" in name for name in rows)
    assert "not looked at: .txt (1)" in done.stdout


def test_shards_fill_one_folder_with_what_one_run_gives(raw, aligned, tmp_path):
    for k in (1, 2, 3):
        align(raw, tmp_path / "out", "--shard", f"{k}/3")
    assert faces_in(tmp_path / "out") == faces_in(aligned[0])
    rows = [report(tmp_path / "out", f"report-{k}-of-3.csv") for k in (1, 2, 3)]
    assert sum(map(len, rows)) == 7 and all(rows)
    done = align(raw, tmp_path / "out")  # nothing is left for a run without shards
    assert "now" not in done.stdout and "6 faces, 1 without a face of 7 photos" in done.stdout


def test_originals_are_not_touched(raw, aligned):
    assert sorted(os.listdir(raw)) == ["ada", "bob", "wall.png"]
    assert sorted(os.listdir(raw / "ada")) == ["000.jpg", "001.jpg", "002.jpg"]


def test_tsv_of_ms_celeb_is_read_directly(raw, tmp_path):
    lines = []
    for i, path in enumerate([raw / "ada" / "000.jpg", raw / "wall.png", None]):
        data = base64.b64encode(path.read_bytes()) if path else b"!"
        lines.append(b"\t".join([b"m.0abc", b"%d" % i, b"http://x", b"http://y", b"Face-0", b"AAAA", data]))
    (tmp_path / "celeb.tsv").write_bytes(b"\r\n".join(lines) + b"\r\n")
    align(tmp_path / "celeb.tsv", tmp_path / "out")
    rows = report(tmp_path / "out")
    outcomes = [rows[f"celeb.tsv/m.0abc/000000000{i}.jpg"]["outcome"] for i in (1, 2, 3)]
    assert outcomes == ["face", "no face", "unreadable"]
    align(raw, tmp_path / "plain")
    assert (tmp_path / "out" / "celeb.tsv__m.0abc__0000000001.jpg.png").read_bytes() == (
        tmp_path / "plain" / "ada__000.jpg.png"
    ).read_bytes()


def test_a_tsv_whose_rows_had_eight_digits_goes_on_without_doing_any_twice(raw, tmp_path):
    rows = [b"m.0abc\t" + base64.b64encode((raw / "ada" / name).read_bytes()) for name in ("000.jpg", "001.jpg")]
    (tmp_path / "celeb.tsv").write_bytes(rows[0] + b"\n")
    align(tmp_path / "celeb.tsv", tmp_path / "out")
    text = (tmp_path / "out" / "report.csv").read_text()
    (tmp_path / "out" / "report.csv").write_text(text.replace("0000000001", "00000001"))  # as an older version wrote
    os.rename(
        tmp_path / "out" / "celeb.tsv__m.0abc__0000000001.jpg.png",
        tmp_path / "out" / "celeb.tsv__m.0abc__00000001.jpg.png",
    )
    (tmp_path / "celeb.tsv").write_bytes(b"\n".join(rows))
    assert "1 of them now" in align(tmp_path / "celeb.tsv", tmp_path / "out").stdout
    assert len(list((tmp_path / "out").glob("*.png"))) == 2


def start(raw, out):
    return subprocess.Popen(
        [sys.executable, os.path.join(ROOT, "align_faces.py"), raw, out], stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Sixty photos with faces and some without, and what a run without interruption makes of them."""
    raw = tmp_path_factory.mktemp("many") / "raw"
    raw.mkdir()
    for i in range(60):
        face_photo(i % 4).save(raw / f"{i}.png")
    for i in range(5):
        Image.new("RGB", (100, 100), "gray").save(raw / f"wall{i}.png")
    out = raw.parent / "whole"
    align(raw, out)
    return raw, faces_in(out), report(out)


def wait_for_faces(out, n):
    deadline = time.time() + 60
    while time.time() < deadline and len([1 for name in os.listdir(out) if name.endswith(".png")]) < n:
        time.sleep(0.01)


def test_killed_at_random_moments_it_ends_with_the_same_files(many, tmp_path):
    raw, expected, rows = many
    out = tmp_path / "out"
    out.mkdir()
    moments = random.Random(0)
    for n in (1, 20, 45):
        process = start(raw, out)
        wait_for_faces(out, n)
        time.sleep(moments.uniform(0, 0.1))
        process.kill()
        process.wait()
        for name in os.listdir(out):
            if name.endswith(".png"):
                assert decoding.open_rgb(out / name).size == (64, 64)
    align(raw, out)
    assert faces_in(out) == expected
    assert report(out) == rows


def runs(process):
    """Whether a process is there, and not only waits to be noticed as ended."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", process], capture_output=True, text=True).stdout
    return bool(state) and not state.startswith("Z")


@pytest.fixture(scope="module")
def endless(many):
    """A folder of more photos than are aligned before a test stops it."""
    raw = many[0].parent / "endless"
    raw.mkdir()
    for i in range(1200):
        os.link(many[0] / f"{i % 60}.png", raw / f"{i}.png")
    return raw


def test_workers_end_with_the_run_that_is_killed(endless, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    process = start(endless, out)
    wait_for_faces(out, 1)
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    assert len(children) >= 2
    process.kill()
    process.wait()
    deadline = time.time() + 30
    while time.time() < deadline and any(map(runs, children)):
        time.sleep(0.1)
    assert not any(map(runs, children))


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_says_how_to_go_on(endless, tmp_path, number, code):
    out = tmp_path / "out"
    out.mkdir()
    process = start(endless, out)
    wait_for_faces(out, 1)
    process.send_signal(number)
    printed = process.stdout.read()
    assert process.wait() == code
    assert "interrupted; the same command continues from here" in printed


def test_a_second_run_on_the_same_output_is_refused(raw, tmp_path):
    with open(tmp_path / ".report.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another run is filling it" in align(raw, tmp_path, code=2).stderr
    align(raw, tmp_path)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere", "o"], "input nowhere: no such folder or file"),
        ([".", "."], ".: the output must be another folder than the input"),
        (
            [".", "align", "outerEyesAndNose", "o", "--size", "96"],
            "this is the order of OpenFace; type: ./align_faces.py . o --landmarks outerEyesAndNose --size 96",
        ),
        (
            ["file.txt", "o"],
            "input file.txt: is empty; give a folder of photos, or a .rec, .zip, .tar, .tgz, .parquet, .tsv, .tar.gz, "
            ".tar.bz2 or .tar.xz file",
        ),
        ([".", "o", "--size", "0"], "--size 0: must be a whole number from 8 to 1024"),
        ([".", "o", "--shard", "5/4"], "--shard 5/4: must be K/N with K from 1 to N, such as 3/16"),
        ([".", "o", "--predictor", "p"], "--predictor p: no such file"),
        (
            [".", "o", "--inspect", "o/i.png"],
            "--inspect o/i.png: must lie outside the input and the output, away from photos and faces",
        ),
        (["d", "o", "--inspect", "i.jpg"], "--inspect i.jpg: must end in .png"),
        (["d", "o", "--inspect", "n/i.png"], "--inspect n/i.png: there is no folder n that can be written to"),
    ],
)
def test_bad_usage_is_refused_before_work(tmp_path, arguments, message):
    (tmp_path / "file.txt").touch()
    (tmp_path / "d").mkdir()
    done = align(*arguments, cwd=tmp_path, code=2)
    assert done.stderr.splitlines()[-1] == f"align_faces.py: error: {message}"
    assert sorted(os.listdir(tmp_path)) == ["d", "file.txt"]


def test_corrupt_predictor_is_refused(raw, tmp_path):
    (tmp_path / "p.dat").write_bytes(b"half a model")
    done = align(raw, tmp_path / "o", "--predictor", tmp_path / "p.dat", code=2)
    assert "dlib can't read it as a landmark model" in done.stderr
    assert not (tmp_path / "o").exists()
    five = models.find_model().replace("68", "5")
    done = align(raw, tmp_path / "o", "--predictor", five, code=2)
    assert "a model of 5 landmarks; a model of 68 is needed" in done.stderr


@pytest.mark.parametrize(
    "spoil, message", [("report.csv", "not a report of this program"), (".settings.json", "not readable")]
)
def test_foreign_files_in_the_output_are_not_overwritten(raw, tmp_path, spoil, message):
    (tmp_path / spoil).write_text("hello\n")
    done = align(raw, tmp_path, code=2)
    assert message in done.stderr
    assert (tmp_path / spoil).read_text() == "hello\n"


def test_another_division_into_shards_waits_its_turn(raw, tmp_path):
    with open(tmp_path / ".report-1-of-2.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another --shard is filling it" in align(raw, tmp_path, code=2).stderr
    align(raw, tmp_path)


def test_photos_below_a_name_that_is_not_utf8_are_aligned(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path / "raw") + b"/caf\xe9")
    os.makedirs(folder)
    for i in range(2):
        with open(os.path.join(folder, f"{i}.jpg"), "wb") as file:
            face_photo(i).save(file, "JPEG")
    assert "2 faces" in align(tmp_path / "raw", tmp_path / "o").stdout


def test_a_file_system_that_ignores_case_is_remembered(raw, aligned, tmp_path):
    out = shutil.copytree(aligned[0], tmp_path / "o")
    (out / "report.csv").unlink()
    settings = json.loads((out / ".settings.json").read_text())
    (out / ".settings.json").write_text(json.dumps(settings | {"ignores case": True}))
    align(raw, out)
    names = {row["output"] for row in report(out).values() if row["output"]}
    assert len(names) == 6 and all(re.search(r"~[0-9a-f]{32}\.png$", name) for name in names)


def test_outputs_under_older_names_stay_done(raw, aligned, tmp_path):
    """Names of more than 120 bytes were longer, and ":" stood as it is."""
    out = shutil.copytree(aligned[0], tmp_path / "o")
    old, new = "ada__000.jpg.png", f"a:{'x' * 150}.png"
    (out / old).rename(out / new)
    text = (out / "report.csv").read_text()
    (out / "report.csv").write_text(text.replace(old, new))
    settings = json.loads((out / ".settings.json").read_text())
    del settings["ignores case"]
    (out / ".settings.json").write_text(json.dumps(settings))
    assert "of them now" not in align(raw, out).stdout
    assert new in os.listdir(out) and old not in os.listdir(out)


def test_report_cells_are_no_formulas_and_read_back(tmp_path):
    (tmp_path / "raw").mkdir()
    for name in ("=1+1.jpg", "@a.jpg", "-b.jpg", "'=c.jpg", "plain.jpg"):
        Image.new("RGB", (20, 20)).save(tmp_path / "raw" / name)
    align(tmp_path / "raw", tmp_path / "o", code=2)
    assert set(report(tmp_path / "o")) == {"'=1+1.jpg", "'@a.jpg", "'-b.jpg", "''=c.jpg", "plain.jpg"}
    assert "of them now" not in align(tmp_path / "raw", tmp_path / "o", code=2).stdout


def test_an_empty_folder_says_so(tmp_path):
    (tmp_path / "raw").mkdir()
    assert "there are no photos in" in align(tmp_path / "raw", tmp_path / "o", code=2).stdout


def test_no_writer_writes_through_a_link(raw, tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "o").mkdir()
    for name in ("report.csv.partial", ".settings.json.partial", "ada__000.jpg.png.partial"):
        (tmp_path / "o" / name).symlink_to(tmp_path / "victim")
    align(raw, tmp_path / "o")
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_tsv_without_lines_is_refused_before_it_fills_the_memory(tmp_path):
    with open(tmp_path / "a.tsv", "wb") as file:
        file.write(b"A" * 512)
        file.truncate(300_000_000)
    assert "row 1 is longer than" in align(tmp_path / "a.tsv", tmp_path / "o", code=2).stderr
