import os
import subprocess
import sys

import pytest

from cli import program


def test_what_helps_is_said_where_a_device_has_too_little_memory(capsys):
    class ResourceExhaustedError(Exception):
        """As TensorFlow's."""

    def main(_arguments):
        raise ResourceExhaustedError("OOM when allocating tensor")

    with pytest.raises(SystemExit) as ended:
        program.run(main, less_memory="a smaller --batch_size")
    assert ended.value.code == 1
    assert capsys.readouterr().err.endswith("error: the device is out of memory; what helps: a smaller --batch_size\n")


def test_advice_can_be_typed_where_the_path_has_spaces(tmp_path, monkeypatch):
    (tmp_path / "my faces").mkdir()
    monkeypatch.setattr(program, "HERE", str(tmp_path / "my faces"))
    monkeypatch.chdir(os.path.dirname(tmp_path))
    assert f"make -C '{tmp_path}/my faces' setup" in program.how_to_install()


def test_a_package_that_does_not_load_is_named(tmp_path):
    (tmp_path / "site-packages" / "cv2").mkdir(parents=True)
    (tmp_path / "site-packages" / "cv2" / "__init__.py").write_text("raise ImportError('libGL.so.1: cannot open')\n")
    code = "import sys\nfrom cli import program\ndef main(arguments):\n    import cv2\nprogram.run(main)"
    environment = os.environ | {"PYTHONPATH": f"{program.HERE}:{tmp_path / 'site-packages'}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "the package cv2 is installed, but does not load (libGL.so.1: cannot open)" in done.stderr


def test_a_stream_whose_reader_is_gone_drops_what_is_written():
    reader, writer = os.pipe()
    stream = program.Stream(os.fdopen(writer, "w", buffering=1))
    os.close(reader)
    print("one", file=stream)
    print("two", file=stream, flush=True)
    assert not stream.isatty()
