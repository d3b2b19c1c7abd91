import os

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
