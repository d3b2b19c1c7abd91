import errno
import multiprocessing
import os
import time

import pytest
from conftest import face_photo, run_script

from alignment import workers
from alignment.settings import AlignSettings


def settings_in(tmp_path):
    """Settings of a run on two workers, as align_faces.py makes them."""
    (tmp_path / "out").mkdir()
    return AlignSettings(workers=2, input=str(tmp_path), output=str(tmp_path / "out"))


class Killer:
    """A photo whose reading ends the process that reads it."""

    def __fspath__(self):
        os._exit(9)


def test_a_photo_that_kills_its_worker_costs_that_photo_alone(tmp_path):
    pytest.importorskip("dlib")
    settings = settings_in(tmp_path)
    face_photo().save(tmp_path / "face.png")
    photos = [(f"{i}.png", str(tmp_path / "face.png")) for i in range(20)]
    photos.insert(10, ("killer.png", Killer()))
    rows = {row["input"]: row for rows in workers.align_all(settings, iter(photos), ignores_case=False) for row in rows}
    assert len(rows) == 21
    assert rows.pop("killer.png")["reason"].startswith("the process that read it ended")
    assert {row["outcome"] for row in rows.values()} == {"face"}
    assert len(os.listdir(settings.output)) == 20


@pytest.mark.soak
def test_a_worker_that_dies_between_batches_is_replaced(tmp_path):
    pytest.importorskip("dlib")
    settings = settings_in(tmp_path)
    face_photo().save(tmp_path / "face.png")
    photos = iter([(f"{i}.png", str(tmp_path / "face.png")) for i in range(100)])
    rows, killed = [], False
    for some in workers.align_all(settings, photos, ignores_case=False):
        rows += some
        if not killed:
            killed = True
            for child in multiprocessing.active_children():
                child.kill()
            time.sleep(0.3)
    assert sorted(row["input"] for row in rows) == sorted(f"{i}.png" for i in range(100))
    assert {row["outcome"] for row in rows} == {"face"}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENAMETOOLONG])
def test_a_name_that_the_file_system_refuses_costs_that_photo_alone(tmp_path, monkeypatch, number):
    pytest.importorskip("dlib")
    face_photo().save(tmp_path / "face.png")

    def refuse(path):
        raise OSError(number, os.strerror(number), path)

    worker = workers.Worker.__new__(workers.Worker)
    worker.settings, worker.ignores_case = settings_in(tmp_path), False
    worker.aligner = workers.openface.AlignDlib()
    monkeypatch.setattr(workers.utils, "whole_file", refuse)
    row = worker.align("face.png", str(tmp_path / "face.png"))
    assert row["outcome"] == "skipped" and "refuses the name face.png.png" in row["reason"] and not row["output"]


def test_a_library_that_ends_its_process_is_named_and_no_photo_is_blamed(tmp_path):
    """As a dlib that was built for another processor does."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "dlib.py").write_text("import os\nos._exit(9)\n")
    face_photo().save(tmp_path / "raw" / "face.png")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "broken")}
    done = run_script("align_faces.py", tmp_path / "raw", tmp_path / "out", env=environment)
    assert done.returncode == 2 and "dlib or OpenCV ends the process that loads it" in done.stderr
    assert "face.png" not in (tmp_path / "out" / "report.csv").read_text()
