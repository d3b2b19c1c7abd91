import pytest

from cli.flags import Parser

DESCRIPTION = """Draw pictures with a trained network, as many as are asked for, one file for each.

    ./generate.py --n 1000 --out faces   # 1,000 PNG files
    ./generate.py
"""


@pytest.mark.parametrize("columns, example", [
    (100, "\n    ./generate.py --n 1000 --out faces   # 1,000 PNG files\n    ./generate.py\n"),
    (50, "\n    # 1,000 PNG files\n    ./generate.py --n 1000 --out faces\n    ./generate.py\n"),
])  # fmt: skip
def test_help_fits_the_terminal(monkeypatch, columns, example):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = Parser(DESCRIPTION).format_help()
    assert example in text
    assert max(map(len, text.splitlines())) <= columns
    assert " ".join(text.split()).startswith("usage: ") and "as many as are asked for, one" in " ".join(text.split())
