import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photos import names
from photos.names import JoinedNames, Names

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=30)


@given(TEXTS)
def test_names_are_kept_as_a_list_keeps_them(texts):
    kept = Names(texts)
    assert list(kept) == texts == [kept[i] for i in range(len(kept))]
    assert kept == texts and list(kept[1:5]) == texts[1:5] and list(kept[::-2]) == texts[::-2]
    joined = JoinedNames()
    for part in (kept, Names(["x"]), Names(texts)):
        joined.add(part)
    assert list(joined.finish()) == [*texts, "x", *texts]


@given(TEXTS, st.text(max_size=3).filter(str.isascii))
def test_sorted_names_are_found(texts, other):
    texts = sorted(set(texts))
    kept = Names(texts)
    assert [kept.index(text) for text in texts] == list(range(len(texts)))
    assert (other in kept) == (other in texts)


def test_names_that_are_no_text_come_back_as_they_were(monkeypatch):
    monkeypatch.setattr(names, "AT_A_TIME", 2)
    odd = [os.fsdecode(b"\xff.png"), "", "b", "ü", "日本"]
    assert list(Names(odd)) == odd and Names(odd)[-1] == "日本"


def test_numbers_are_padded_so_that_their_order_is_that_of_the_names(monkeypatch):
    monkeypatch.setattr(names, "AT_A_TIME", 2)
    kept = Names.numbered("a.rec/", np.array([0, 7, 42, 1234567890]))
    assert list(kept) == ["a.rec/0000000000", "a.rec/0000000007", "a.rec/0000000042", "a.rec/1234567890"]
    assert list(Names.numbered("", np.array([10**12]))) == ["1000000000000"]


def test_the_digest_tells_names_apart_and_an_index_beyond_the_end_is_an_error():
    assert Names(["ab", "c"]).digest() != Names(["a", "bc"]).digest() != Names(["bc", "a"]).digest()
    assert Names(["a", "b"])[:1].digest() == Names(["a"]).digest()
    with pytest.raises(IndexError):
        Names(["a"])[1]
