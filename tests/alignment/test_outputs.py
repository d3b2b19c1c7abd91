import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignment import outputs

paths = st.lists(st.text("aAb_%~. /ü\n:?*|\\", min_size=1, max_size=8), min_size=1, max_size=3).map("/".join)


@given(st.sets(paths, min_size=2, max_size=40))
def test_output_names_are_injective_and_flat(some):
    names = {outputs.output_name(path) for path in some}
    assert len(names) == len(some)
    assert not any(set(name) & set('/\n:?*"<>|\\') or not name.endswith(".png") for name in names)
    lower = {outputs.output_name(path, ignores_case=True).lower() for path in some}
    assert len(lower) == len(some)


@pytest.mark.parametrize(
    "path, name",
    [
        ("001.jpg", "001.jpg.png"),
        ("Aaron_Eckhart/Aaron_Eckhart_0001.jpg", "Aaron_Eckhart__Aaron_Eckhart_0001.jpg.png"),
        ("a/b__c.jpg", "a__b%5F%5Fc.jpg.png"),
        ("a__b/c.jpg", "a%5F%5Fb__c.jpg.png"),
        ("a_/b.jpg", "a%5F__b.jpg.png"),
        ("a/_b.jpg", "a__%5Fb.jpg.png"),
        ("x.png", "x.png.png"),
        ("Zoë 100%.jpg", "Zoë 100%25.jpg.png"),
    ],
)
def test_output_names_are_readable(path, name):
    assert outputs.output_name(path) == name


def test_long_paths_get_names_that_a_file_system_takes_and_stay_apart():
    names = {outputs.output_name(f"{'deep/' * 100}{i}.jpg") for i in range(100)}
    assert len(names) == 100
    assert max(len(os.fsencode(name)) for name in names) <= 143 - len(".12345678.partial")  # eCryptfs


def test_the_test_for_case_leaves_nothing_behind(tmp_path):
    assert not outputs.ignores_case(tmp_path)
    assert os.listdir(tmp_path) == []


def test_scraps_of_a_killed_run_go_at_once_unless_another_shard_may_be_writing_them(tmp_path):
    scrap = tmp_path / "a.png.0123abcd.partial"
    scrap.touch()
    outputs.remove_scraps(tmp_path, alone=False)
    assert scrap.exists()
    outputs.remove_scraps(tmp_path, alone=True)
    assert not scrap.exists()
