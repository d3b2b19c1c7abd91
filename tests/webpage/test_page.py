"""page.py in a real browser: headless Chromium, driven by Playwright."""

import base64
import contextlib
import glob
import io
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from conftest import ROOT, TINY, face_photo, run_script, train
from PIL import Image

from errors import UserError
from runs.network import INCLUDED, find_network
from sampling import completion, directions, latents
from sampling.settings import SearchSettings
from webpage.network import Networks, NewestModel

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MINUTE = 60_000  # ms


@pytest.fixture(scope="module")
def served(trained, tmp_path_factory):
    """A page in a process of its own: its address, the folder of its uploads, itself, and a run in its checkpoints."""
    pytest.importorskip("gradio")
    temporary = tmp_path_factory.mktemp("uploads")
    command = [
        sys.executable,
        os.path.join(ROOT, "page.py"),
        "--checkpoint_dir",
        trained,
        "--port",
        str(7931 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])),
    ]
    here = tmp_path_factory.mktemp("here")
    shutil.copytree(trained, here / "checkpoints" / "other")
    environment = os.environ | {"TMPDIR": str(temporary), "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    page = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=here
    )
    assert page.stdout.readline().startswith("network: ")
    line = [page.stdout.readline() for _ in range(2)][-1]  # after a warning of a young network
    if "the page: http://127.0.0.1:" not in line:
        pytest.fail(line + page.stderr.read())
    yield re.search(r"http://\S+?(?=/? )", line)[0], temporary, page, here / "checkpoints" / "other"
    page.terminate()
    assert page.wait(30) == 143
    assert os.listdir(temporary) == [], "nothing is left when the page ends"


@pytest.fixture
def browser(served):
    """A headless browser that reaches this machine alone; what it asked of others is counted."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    address, outside = served[0], []

    def route(request):
        if request.request.url.startswith((address, "data:", "blob:")):
            request.continue_()
        else:
            outside.append(request.request.url)
            request.abort()

    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = chromium.new_context()
        context.set_default_timeout(MINUTE)
        context.route("**/*", route)
        yield context
        chromium.close()
    assert outside == []


def opened(browser, served, tab=None):
    """A new page of the browser, with its faces drawn."""
    page = browser.new_page()
    page.goto(served[0])
    page.locator("#gallery img").nth(5).wait_for()
    page.locator("#chosen img").wait_for()
    if tab:
        page.get_by_role("tab", name=tab).click()
    return page


def upload(page, button, path):
    """Upload a photo by a button."""
    with page.expect_file_chooser() as chooser:
        page.locator(button).click()
    chooser.value.set_files(path)


def start_to_complete(page):
    """Wait for the photo that was uploaded, and start to complete a hole that is painted on it."""
    page.get_by_role("tabpanel").get_by_text("The face that was found, aligned.").last.wait_for()
    page.get_by_role("button", name="Middle").and_(page.locator(":enabled")).wait_for()
    page.wait_for_timeout(3000)  # until the editor has drawn the photo, which it does not tell
    canvas = page.locator("#painting canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 30, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 10, steps=8)
    page.mouse.up()
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Complete", exact=True).click()


def src(page, of):
    """The address of a picture."""
    return page.locator(of).get_attribute("src")


def wait_for_another(page, of, before):
    """Wait until a picture has changed."""
    page.wait_for_function("([of, before]) => document.querySelector(of).src != before", arg=[of, before])


def uploads(served):
    """The files of uploads and paintings that are still there when all should be deleted, with anything in them."""
    paths = []
    for _ in range(15):
        found = glob.glob(os.path.join(served[1], "**"), recursive=True)
        paths = [path for path in found if os.path.isfile(path) and os.path.getsize(path)]
        if not paths:
            break
        time.sleep(1)
    return paths


@pytest.fixture
def face(tmp_path):
    face_photo(4).save(tmp_path / "face.png")
    return tmp_path / "face.png"


def test_faces_are_picked_moved_and_mixed(browser, served):
    playwright = pytest.importorskip("playwright.sync_api")
    page = opened(browser, served)
    assert page.locator("#said").inner_text().startswith("Face 0. Click another one")
    assert page.get_by_role("button", name="A - B + C").is_disabled()
    page.locator("#gallery img").nth(3).click()
    page.get_by_text("Face 3.", exact=True).wait_for()
    before = src(page, "#chosen img")
    number = page.get_by_label("number input for principal direction 1")
    number.fill("1")
    number.press("Enter")
    wait_for_another(page, "#chosen img", before)
    for box, face in zip("ABC", (3, 5, 8)):
        page.locator("#gallery img").nth(face).click()
        page.get_by_text(f"Face {face}.", exact=True).wait_for()
        playwright.expect(number).to_have_value("0")  # a new face has not been moved
        page.get_by_role("button", name=f"Put into {box}").click()
        page.locator(f"#box{box} img").wait_for()
    page.get_by_role("button", name="A - B + C").click()
    page.get_by_text("A - B + C.", exact=True).wait_for()
    page.get_by_role("button", name="Keep A - B as a slider").click()
    page.get_by_text("give the sliders names first").first.wait_for()  # this network has none
    page.locator("input[type=range]").last.fill("1")
    page.get_by_text("100% of the way from A to B.").wait_for()
    assert src(page, "#chosen img") == src(page, "#boxB img")
    seed, shown = page.get_by_label("Seed"), src(page, "#gallery img >> nth=0")
    seed.fill("7")
    seed.press("Enter")
    page.wait_for_function("before => document.querySelector('#gallery img').src != before", arg=shown)
    page.get_by_role("button", name="More faces").click()
    playwright.expect(seed).to_have_value("8")
    page.close()


def test_clicks_faster_than_the_network_end_with_the_last_one(browser, served):
    page = opened(browser, served)
    for face in range(1, 8):
        page.locator("#gallery img").nth(face).click()
    page.get_by_text("Face 7.", exact=True).wait_for()
    number, shown = page.get_by_label("number input for principal direction 1"), []
    for values in ([0.1, 0.3, 0.5, 0.7, 0.9, 1], [0], [1]):
        before = src(page, "#chosen img")
        for value in values:
            number.fill(str(value))
            number.press("Enter")
        wait_for_another(page, "#chosen img", before)
        page.wait_for_timeout(3000)
        shown.append(src(page, "#chosen img"))
    assert shown[0] == shown[2] != shown[1]
    assert page.locator("#said").inner_text() == "Face 7."
    page.close()


def test_a_photo_is_edited_and_another_one_completed(browser, served, face, tmp_path):
    heif, heic = pytest.importorskip("pillow_heif"), tmp_path / "face.heic"
    heif.from_pillow(Image.open(face).convert("RGB")).save(heic)  # as an iPhone's
    page = opened(browser, served)
    page.get_by_text("Edit a photo").click()
    upload(page, "#edit_upload", face)
    page.locator("#crop img").wait_for()
    page.get_by_text("500 of 500 iterations, PSNR").wait_for()
    assert "data:image/png" in src(page, "#crop img")
    page.locator("#edit_examples img").first.click()
    page.get_by_text(re.compile(r"^([0-4]?\d)?\d of 500 iterations")).first.wait_for()
    page.get_by_role("button", name="Stop").first.click()
    said, before = page.locator("#said").inner_text(), ""
    while said != before:  # what was on its way arrives, on a busy machine seconds later
        page.wait_for_timeout(1000)
        said, before = page.locator("#said").inner_text(), said
    assert not said.startswith("500 of 500")
    page.get_by_role("tab", name="Complete a photo").click()
    assert page.get_by_role("button", name="Complete", exact=True).is_disabled()
    upload(page, "#hole_upload", heic)
    page.get_by_text("The face that was found, aligned.").last.wait_for()
    start_to_complete(page)
    page.get_by_text("20 of 20 iterations").wait_for()
    page.locator("#completed img").nth(1).wait_for()
    assert src(page, "#completed img >> nth=0") != src(page, "#completed img >> nth=1")
    page.close()
    assert uploads(served) == []


@pytest.mark.soak
def test_two_people_at_once_and_one_who_leaves_in_the_middle(browser, served, tmp_path):
    pages = []
    for i in range(2):
        face_photo(i + 3).save(tmp_path / f"{i}.png")
        pages.append(opened(browser, served, "Complete a photo"))
        upload(pages[i], "#hole_upload", tmp_path / f"{i}.png")
    for page in pages:
        start_to_complete(page)
    pages[0].locator("#completed img").nth(1).wait_for()
    pages[0].close()
    pages[1].get_by_text("20 of 20").wait_for()
    pages[1].close()
    assert uploads(served) == []


def test_another_network_takes_the_boxes_and_photos_of_the_last_one_away(browser, served):
    page = opened(browser, served)
    page.get_by_role("button", name="Put into A").click()
    page.locator("#boxA img").wait_for()
    page.get_by_role("tab", name="Complete a photo").click()
    page.locator("#hole_examples img").first.click()
    page.get_by_role("button", name="Complete", exact=True).and_(page.locator(":enabled")).wait_for()
    page.get_by_label("Network").click()
    page.get_by_role("option", name="checkpoints/other").click()
    page.get_by_role("button", name="Complete", exact=True).and_(page.locator(":disabled")).wait_for()
    page.get_by_role("tab", name="Faces").click()
    page.locator("#chosen img").wait_for()
    page.locator("#boxA img").wait_for(state="detached")
    assert page.get_by_role("button", name="A - B + C").is_disabled()
    shutil.copytree(served[3], served[3].parent / "later")
    page.reload()
    page.locator("#chosen img").wait_for()
    page.get_by_label("Network").click()
    options = page.get_by_role("option").all_inner_texts()
    assert options[1:3] == ["checkpoints/later", "checkpoints/other"]
    page.close()


def test_the_search_for_names_shows_how_far_it_is_and_can_be_stopped(browser, served):
    page = opened(browser, served)
    find = page.get_by_role("button", name="Give the sliders names")
    find.click()
    page.get_by_text(f"0 of {directions.STEPS} steps").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function("document.querySelector('#said').innerText.trim() == ''")
    assert find.is_enabled() and page.get_by_role("button", name="Stop").count() == 0
    for _ in range(MINUTE // 1000):  # the processes that look for faces end too
        children = psutil.Process(served[2].pid).children()
        children = [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]
        if not children:
            break
        time.sleep(1)
    assert not children


def test_a_network_that_draws_no_faces_keeps_its_sliders_and_nothing_is_left_to_stop(trained, monkeypatch):
    gradio = pytest.importorskip("gradio")
    from webpage.callbacks import Callbacks

    monkeypatch.setattr(directions, "SAMPLES", 8)
    monkeypatch.setattr(directions, "UNSEEN", 8)
    shown = []
    with pytest.raises(gradio.Error, match="dlib finds a face in 0% of this network's pictures"):
        for said, stop, *rest in Callbacks(Networks(trained)).find_directions(trained):
            shown.append((said, stop.visible))
            assert all(value == gradio.skip() for value in rest)
    assert shown[0][1] and "0 of" in shown[0][0] and shown[-1] == ("", False)


def test_wrong_uploads_are_said_in_a_sentence(browser, served, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG and no more")
    (tmp_path / "notes.png").write_text("a text")
    Image.new("1", (20000, 10000)).save(tmp_path / "huge.png")
    page = opened(browser, served, "Complete a photo")
    for name, words in (
        ("broken", "Not an image"),
        ("notes", "Not an image"),
        ("huge", "89,478,485"),
    ):
        upload(page, "#hole_upload", tmp_path / f"{name}.png")
        page.get_by_text(words).first.wait_for()
        page.get_by_text(words).first.wait_for(state="hidden")  # it goes away
    Image.new("RGB", (200, 200), "white").save(tmp_path / "wall.png")
    upload(page, "#hole_upload", tmp_path / "wall.png")
    page.get_by_text("No face was found: the photo's central square.").wait_for()
    page.close()
    assert uploads(served) == []


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "README.md", "checkpoints", os.path.abspath(__file__), "../../etc/passwd"]
)
def test_no_file_of_the_machine_is_read_through_it(served, path):
    for route in ("/gradio_api/file=", "/file=", "/gradio_api/file/", "/static/", "/assets/"):
        with pytest.raises(urllib.error.HTTPError) as error, urllib.request.urlopen(served[0] + route + path) as answer:
            pytest.fail(f"{route}{path} gave {answer.read(100)}")
        assert error.value.code in (403, 404)


def test_there_is_no_interface_for_programs_and_none_for_other_machines(served):
    with urllib.request.urlopen(served[0] + "/gradio_api/info") as answer:
        assert b'"named_endpoints":{}' in answer.read().replace(b" ", b"")
    listening = [c.laddr.ip for c in psutil.Process(served[2].pid).net_connections() if c.status == "LISTEN"]
    assert set(listening) == {"127.0.0.1"}


def test_the_newest_checkpoint_is_followed(faces, tmp_path):
    newest = NewestModel(str(tmp_path / "checkpoint"))
    with contextlib.suppress(Exception):
        newest.get()
    train(tmp_path, dataset=faces, **TINY)
    assert newest.get()[1].step == 6
    search = newest.search(SearchSettings(nIter=1))
    assert newest.search(SearchSettings(nIter=1)) is search, "compiled once"
    train(tmp_path, dataset=faces, **TINY | dict(epoch=2))
    assert newest.get()[1].step == 12
    assert newest.search(SearchSettings(nIter=1)) is not search


def test_a_wrong_name_ends_before_the_page_opens(tmp_path):
    done = run_script("page.py", "--name", "nosuch", cwd=tmp_path)
    assert done.returncode == 2 and "checkpoints/nosuch: no such folder" in done.stderr and not done.stdout


def test_the_networks_here_can_be_chosen(trained, tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_run, "checkpoints/tiny")
    (tmp_path / "checkpoints" / "begun").mkdir()
    folders = [folder for _, folder in Networks(trained).choices()]
    assert folders[:2] == [trained, "checkpoints/tiny"] and "checkpoints/begun" not in folders
    assert ", step 6, trained on " in NewestModel(trained).about()
    box = NewestModel(INCLUDED).about()
    assert box.startswith("comes with the project, trained on 12,166 photos of LFW, step 7,220, FDD")


def test_sliders_are_the_named_directions_where_there_are_some(trained, tmp_path, monkeypatch):
    folder = str(shutil.copytree(trained, tmp_path / "run"))
    names, vectors, named = NewestModel(folder).sliders()
    assert not named and names[0] == "principal direction 1" and len(names) == len(vectors) == 6
    kept = directions.Directions(["smile", "mine"], np.eye(2, 8, dtype=np.float32), np.zeros([2, 8]), np.zeros(2))
    directions.save(find_network(folder), kept, directions.fingerprint(find_network(folder)))
    model = NewestModel(folder)
    names, vectors, named = model.sliders()
    assert named and names == ["smiling", "mine"]
    model.keep("beard", np.full(8, 0.5, np.float32))
    names, vectors, _ = NewestModel(folder).sliders()  # beside the checkpoint
    assert names == ["smiling", "mine", "beard"] and (vectors[2] == 0.5).all()
    for name, reason in (
        ("beard", "of that name"),
        ("Smiling", "of that name"),
        ("", "no name"),
        ("../x", "letters, digits"),
    ):
        with pytest.raises(UserError, match=reason):
            model.keep(name, vectors[2])
    with pytest.raises(UserError, match="give the sliders names first"):
        NewestModel(trained).keep("beard", vectors[2])
    monkeypatch.setattr("runs.network.INCLUDED", folder)  # whose files stay as they are
    before = (tmp_path / "run" / "directions.npz").read_bytes()
    assert not model.keep("hat", vectors[2]) and model.sliders()[0][-1] == "hat"
    assert (tmp_path / "run" / "directions.npz").read_bytes() == before


def test_a_network_with_fewer_numbers_than_sliders_is_moved(tmp_path, faces):
    pytest.importorskip("gradio")
    from webpage.callbacks import SLIDERS, Callbacks

    run = train(tmp_path, dataset=faces, **TINY | dict(z_dim=4))
    calls = Callbacks(Networks(run))
    _, z, picture, *_ = calls.first(run, latents.draw(0, [0], 4))
    moved, link = calls.moved(run, np.eye(6, 4, dtype=np.float32), z, *[0.5] * SLIDERS)
    assert picture.shape == moved.shape == (16, 16, 3) and np.any(picture != moved)
    assert "Download its z" in link


def test_faces_in_several_photos_may_be_looked_for_at_once(trained, tmp_path):
    """dlib's detector serves one thread at a time: two ended the process."""
    pytest.importorskip("gradio")
    from webpage.callbacks import Callbacks

    calls = Callbacks(Networks(trained))
    for i in range(8):
        face_photo(4).resize((600, 600)).save(tmp_path / f"{i}.png")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: calls.crop(trained, str(tmp_path / f"{i}.png"))[0], range(8)))
    assert all(np.array_equal(pixels, found[0]) for pixels in found) and not os.listdir(tmp_path)


def test_what_nobody_read_is_swept_away(tmp_path):
    from webpage import serving

    (tmp_path / "old").mkdir()
    for name in ("old/background.png", "new.png"):
        (tmp_path / name).touch()
    os.utime(tmp_path / "old" / "background.png", (0, time.time() - 11))
    serving.sweep(tmp_path)
    assert (tmp_path / "new.png").exists() and not (tmp_path / "old" / "background.png").exists()


def test_a_painted_hole_becomes_a_mask():
    pytest.importorskip("gradio")
    from webpage import pictures

    hole = completion.make_mask("center", 16)[..., 0] == 0
    value = pictures.to_paint_on((np.zeros([16, 16, 3], np.uint8), hole))
    content = base64.b64decode(value["layers"][0]["url"].partition(",")[2])
    layer = np.asarray(Image.open(io.BytesIO(content)))
    np.testing.assert_array_equal(pictures.hole_of({"layers": [layer]}, 16), hole)
    assert not pictures.hole_of(None, 16).any() and not pictures.hole_of({"layers": []}, 16).any()


def test_one_upload_that_is_read_twice_is_missed_in_words(trained, face, capsys):
    gradio = pytest.importorskip("gradio")
    from webpage.callbacks import Callbacks

    calls = Callbacks(Networks(trained))
    calls.crop(trained, str(face))
    with pytest.raises(gradio.Error, match="No such file"):
        calls.crop(trained, str(face))
    assert capsys.readouterr().err == "page: No such file or directory.\n"


@pytest.mark.soak
def test_memory_is_flat_over_fifty_completions(trained):
    from webpage import pictures

    newest = NewestModel(trained)
    image, mask = np.zeros([1, 64, 64, 3], np.float32), completion.make_mask("center", 64)[None]
    sizes = []
    for _ in range(50):
        for _, _z, generated, *_ in newest.search(SearchSettings(nIter=20, outInterval=10)).reports(image, mask):
            pictures.two([np.uint8(generated[0] * 0)] * 2)
        sizes.append(psutil.Process().memory_info().rss)
    assert sizes[-1] - sizes[9] < 20e6
