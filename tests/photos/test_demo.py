import os

import numpy as np
from conftest import run_module
from PIL import Image

from photos import demo


def test_faces_are_64x64_colour_and_distinct():
    faces = [np.asarray(demo.draw_face(0, index)) for index in range(60)]
    assert all(face.shape == (64, 64, 3) and face.dtype == np.uint8 for face in faces)
    assert len({face.tobytes() for face in faces}) == 60
    assert np.std(faces, axis=0).mean() > 30  # and not by a pixel or two


def test_a_face_depends_on_its_seed_and_index_alone():
    assert demo.draw_face(1, 5).tobytes() == demo.draw_face(1, 5).tobytes()
    assert demo.draw_face(1, 5).tobytes() != demo.draw_face(2, 5).tobytes()


def test_script_writes_n_files_and_keeps_those_there(tmp_path):
    for n in 3, 5:
        done = run_module("photos.demo", tmp_path / "faces", "--n", n)
        there = ", 3 were there" if n == 5 else ""
        drawn = 3 if n == 3 else 2
        assert done.stdout == f"drew {drawn} faces into {tmp_path / 'faces'}{there}\n", done.stderr
        if n == 3:
            Image.new("RGB", (1, 1)).save(tmp_path / "faces" / "00001.png")
    assert sorted(os.listdir(tmp_path / "faces")) == [f"0000{index}.png" for index in range(5)]
    assert Image.open(tmp_path / "faces" / "00001.png").size == (1, 1)
