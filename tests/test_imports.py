"""Imports go one way, and light commands stay light."""

import ast
import glob
import os
import subprocess
import sys

import pytest
from conftest import ROOT

# From the bottom up. A module may import what stands below it, and modules of its own package.
LAYERS = [
    {"errors"},
    {"utils"},
    {"kernels"},
    {"ops"},
    {"model"},
    {"cli"},
    {"photos", "devices"},
    {"runs", "alignment"},
    {"recognition"},
    {"sampling"},
    {"training", "webpage", "evaluation"},
    {"train-dcgan", "align_faces", "generate", "explore", "complete", "evaluate", "page"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
FILES = [path for pattern in ("*.py", "*/*.py") for path in sorted(glob.glob(pattern, root_dir=ROOT))]
PRODUCT = [path for path in FILES if path.split(os.sep)[0] not in ("tests", "docs", "benchmarks")]


def imports(path):
    """The project's own modules that a file imports, anywhere in it, by their full names."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
        elif isinstance(node, ast.Constant) and str(node.value).replace(".", os.sep) + ".py" in FILES:
            names = [node.value]  # of cli.program.Later
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in LEVEL)


@pytest.mark.parametrize("path", PRODUCT)
def test_imports_go_down(path):
    room = path.removesuffix(".py").split(os.sep)[0]
    for name in imports(path):
        other = name.split(".")[0]
        assert other == room or LEVEL[other] < LEVEL[room], f"{path} imports {name}"


def test_only_the_training_script_enters_training():
    inside = [path for path in PRODUCT if any(name.split(".")[0] == "training" for name in imports(path))]
    assert [path for path in inside if not path.startswith("training" + os.sep)] == ["train-dcgan.py"]


@pytest.mark.parametrize("script", sorted(LAYERS[-1]))
def test_an_old_python_can_read_what_refuses_it(script):
    """The script, and what its first import loads: as Python 3.6 reads them."""
    for path in (script + ".py", "cli/__init__.py", "cli/program.py", "errors.py"):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            ast.parse(file.read(), feature_version=(3, 6))
    assert next(imports(script + ".py")) == "cli.program"


def test_model_imports_ops_alone():
    assert {name.split(".")[0] for name in imports("model.py")} == {"ops"}


def test_packages_have_no_cycles():
    modules = {path.removesuffix(".py").replace(os.sep, "."): path for path in PRODUCT}
    graph = {module: {name for name in imports(path) if name in modules} for module, path in modules.items()}
    while graph:
        free = [module for module, needed in graph.items() if not needed & graph.keys()]
        assert free, f"a cycle among {sorted(graph)}"
        for module in free:
            del graph[module]


def test_packages_init_files_are_empty():
    for path in glob.glob(os.path.join(ROOT, "*", "__init__.py")):
        assert os.path.getsize(path) == 0, path


def loaded(code):
    """Which heavy packages a piece of code has loaded at its end."""
    code += "\nheavy = 'tensorflow numpy PIL cv2 dlib scipy keras'.split()"
    code += "\nprint(*[name for name in heavy if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


COMMANDS = [(script, argument) for script in sorted(LAYERS[-1]) for argument in (["--help"], ["--no_such_flag"], [])]
COMMANDS.remove(("page", []))  # which serves until it is stopped


@pytest.mark.parametrize("script, arguments", COMMANDS)
def test_help_and_usage_errors_load_no_heavy_package(script, arguments):
    code = f"""
import contextlib, runpy, sys
sys.argv = [{script!r} + '.py', *{arguments!r}]
with contextlib.suppress(SystemExit):
    runpy.run_path({script!r} + '.py', run_name='__main__')
"""
    assert loaded(code) == []


def test_the_alignment_cannot_reach_tensorflow():
    reached, pending = set(), ["align_faces"]
    while pending:
        module = pending.pop()
        path = module.replace(".", os.sep) + ".py"
        if module in reached or not os.path.exists(os.path.join(ROOT, path)):
            continue
        reached.add(module)
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            assert "import tensorflow" not in file.read(), path
        pending += imports(path)
    assert {"alignment.folder", "alignment.workers", "photos.decoding"} <= reached
