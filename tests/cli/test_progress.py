import pytest

from cli.progress import duration


@pytest.mark.parametrize("seconds, words", [(45, "45 s"), (119, "2 min"), (6600, "1 h 50 min")])
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
