"""README and docs/: short, true, and without dead links."""

import glob
import importlib.util
import os
import re

import pytest
from conftest import ROOT

PAGES = [
    path
    for pattern in ("*.md", "docs/*.md", "data/*.md", "networks/*/*.md")
    for path in glob.glob(pattern, root_dir=ROOT)
]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)]+)\)", read(path)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        found = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
        assert os.path.exists(os.path.join(ROOT, found)), target
        assert not anchor or anchor in anchors(read(found)), target


def test_every_page_is_in_the_index():
    index = read("docs/README.md")
    for path in glob.glob("docs/*.md", root_dir=ROOT):
        assert f"({os.path.basename(path)})" in index or path == "docs/README.md", path


def test_readme_is_short():
    assert len(read("README.md").splitlines()) <= 150


@pytest.mark.parametrize("path", [path for path in PAGES if "<!-- flags:" in read(path)])
def test_flag_tables_are_those_of_the_scripts(path):
    spec = importlib.util.spec_from_file_location("flag_tables", os.path.join(ROOT, "docs", "flag_tables.py"))
    flag_tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(flag_tables)
    assert flag_tables.with_tables(read(path)) == read(path), "type: python -m docs.flag_tables"


@pytest.mark.parametrize("path", PAGES)
def test_commands_name_flags_that_exist(path):
    from conftest import load_script

    for line in re.findall(r"(?:^|`)(?: *)(\./[\w-]+\.py [^`\n]*)", read(path), re.MULTILINE):
        script = line.split()[0][2:]
        for flag in re.findall(r"(?<= )--\w+", line.split("#")[0]):
            parser = load_script(script).flags()
            commands = getattr(parser._subparsers, "_group_actions", [None])[0] if parser._subparsers else None
            known = set(parser._option_string_actions)
            for command in commands.choices.values() if commands else ():
                known |= set(command._option_string_actions)
            assert flag in known, line


def test_the_chinese_readmes_commands_are_those_of_the_english_one():
    def commands(path):
        lines = re.findall(r"^    (.+)$", read(path), re.MULTILINE)
        return {line.split("  #")[0].strip() for line in lines if not line.strip().startswith(("@", "title", "author"))}

    english, chinese = commands("README.md"), commands("README.zh.md")
    assert len(chinese) >= 15
    assert not chinese - english
    assert not [line for line in english - chinese if re.match(r"\./|make |source |tensorboard ", line)]
