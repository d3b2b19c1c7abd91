"""page.py in a real browser: headless Chromium, driven by Playwright."""

import contextlib
import glob
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

import numpy as np
import psutil
import pytest
from conftest import ROOT, TINY, face_photo, train

from sampling import completion
from sampling.settings import SearchSettings
from webpage import html
from webpage.network import NewestModel

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MINUTE = 60_000  # ms


@pytest.fixture(scope="module")
def served(trained, tmp_path_factory):
    """A page in a process of its own: its address, and the folder of its uploads."""
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
    environment = os.environ | {"TMPDIR": str(temporary), "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    page = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    line = page.stdout.readline()
    if "the page: http://127.0.0.1:" not in line:
        pytest.fail(line + page.stderr.read())
    yield re.search(r"http://\S+?(?=/? )", line)[0], temporary, page
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
    page.wait_for_selector("#gallery img")
    if tab:
        page.get_by_role("tab", name=tab).click()
    return page


def upload(page, button, path):
    """Upload a photo by a button."""
    with page.expect_file_chooser() as chooser:
        page.locator(button).click()
    chooser.value.set_files(path)


def paint(page):
    """Upload a drawn face in the tab Complete, and paint a hole on it."""
    page.wait_for_selector("#paint image[href^=data]")
    box = page.locator("#paint svg").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 220, steps=5)
    page.mouse.up()


def uploads(served):
    """The uploaded files that are still there, with anything in them."""
    paths = glob.glob(os.path.join(served[1], "**"), recursive=True)
    return [path for path in paths if os.path.isfile(path) and os.path.getsize(path)]


@pytest.fixture
def face(tmp_path):
    face_photo(1).save(tmp_path / "face.png")
    return tmp_path / "face.png"


def test_faces_are_picked_mixed_edited_and_completed(browser, served, face):
    page = opened(browser, served)
    for n in (3, 5):
        page.locator("#gallery img").nth(n).click()
        page.get_by_text(f"{1 if n == 3 else 2} collected").wait_for()
    page.get_by_role("tab", name="Mix").click()
    mixed = page.locator("#mixed img")
    mixed.wait_for()
    before = mixed.get_attribute("src")
    page.locator("#collected img").nth(1).click()  # from plus to minus
    page.wait_for_function("before => document.querySelector('#mixed img').src != before", arg=before)

    page.get_by_role("tab", name="Edit a photo").click()
    upload(page, "#edit_upload", face)
    page.locator("#projected").get_by_text("500 of 500 iterations, PSNR").wait_for()
    page.locator("#edited img").wait_for()

    page.get_by_role("tab", name="Complete").click()
    upload(page, "#hole_upload", face)
    paint(page)
    assert page.locator("#paint rect").count() > 50
    page.get_by_role("button", name="Complete").click()
    page.locator("#completed img").wait_for()
    first = page.locator("#completed img").get_attribute("src")
    page.wait_for_function("first => document.querySelector('#completed img').src != first", arg=first)
    page.get_by_role("button", name="Stop").click()
    page.wait_for_timeout(1000)
    said = page.locator("#completed").inner_text()
    page.wait_for_timeout(1000)
    assert page.locator("#completed").inner_text() == said
    page.close()
    assert uploads(served) == []


@pytest.mark.soak
def test_two_people_at_once_and_one_who_leaves_in_the_middle(browser, served, tmp_path):
    pages = []
    for i in range(2):
        face_photo(i + 2).save(tmp_path / f"{i}.png")
        pages.append(opened(browser, served, "Complete"))
        upload(pages[i], "#hole_upload", tmp_path / f"{i}.png")
    for page in pages:
        paint(page)
        page.get_by_role("button", name="Complete").click()
    pages[0].locator("#completed img").wait_for()
    pages[0].close()
    pages[1].locator("#completed").get_by_text("1000 of 1,000").or_(
        pages[1].locator("#completed").get_by_text("1,000 of 1,000")
    ).wait_for()
    pages[1].close()
    assert uploads(served) == []


def test_a_broken_upload_is_said_to_be_one(browser, served, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG and no more")
    page = opened(browser, served, "Complete")
    upload(page, "#hole_upload", tmp_path / "broken.png")
    page.get_by_text("Not an image").wait_for()
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
    assert newest.get()[1] == 6
    search = newest.search(SearchSettings(nIter=1))
    assert newest.search(SearchSettings(nIter=1)) is search, "compiled once"
    train(tmp_path, dataset=faces, **TINY | dict(epoch=2))
    assert newest.get()[1] == 12
    assert newest.search(SearchSettings(nIter=1)) is not search


def test_without_a_checkpoint_it_says_what_to_do_and_keeps_no_upload(tmp_path, face, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the message names the runs of ./checkpoints, where there are some
    gradio = pytest.importorskip("gradio")
    from webpage.callbacks import Callbacks

    calls = Callbacks(NewestModel(str(tmp_path / "checkpoints")))
    with pytest.raises(gradio.Error, match=r"train-dcgan\.py"):
        calls.read(str(face))
    assert not face.exists()


def test_a_network_with_fewer_numbers_than_sliders_is_mixed(tmp_path, faces):
    pytest.importorskip("gradio")
    from webpage.callbacks import SLIDERS, Callbacks

    calls = Callbacks(NewestModel(train(tmp_path, dataset=faces, **TINY | dict(z_dim=4))))
    assert calls.mix([(np.zeros(4, np.float32), 1)], *[0.5] * SLIDERS).startswith("<figure>")


def test_one_upload_that_is_read_twice_is_missed_in_words(trained, face):
    gradio = pytest.importorskip("gradio")
    from webpage.callbacks import Callbacks

    calls = Callbacks(NewestModel(trained))
    calls.read(str(face))
    with pytest.raises(gradio.Error, match="No such file"):
        calls.read(str(face))


@pytest.mark.soak
def test_memory_is_flat_over_fifty_completions(trained):
    newest = NewestModel(trained)
    image, mask = np.zeros([1, 64, 64, 3], np.float32), completion.make_mask("center", 64)[None]
    sizes = []
    for _ in range(50):
        for _, z, generated, *_ in newest.search(SearchSettings(nIter=20, outInterval=10)).reports(image, mask):
            html.figure(np.uint8(generated[0] * 0), "", z[0])
        sizes.append(psutil.Process().memory_info().rss)
    assert sizes[-1] - sizes[9] < 20e6
