import os

from cli import program


def test_an_environment_that_was_made_elsewhere_is_recognised(tmp_path, monkeypatch):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    activate = tmp_path / ".venv" / "bin" / "activate"
    monkeypatch.setattr(program, "HERE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    activate.write_text("# made by venv\nVIRTUAL_ENV='/home/ada/old faces/.venv'\nexport VIRTUAL_ENV\n")
    advice = program.how_to_install()
    assert "made when the project was in /home/ada/old faces" in advice
    assert advice.endswith("type: rm -r .venv; make setup")
    activate.write_text(f'VIRTUAL_ENV="{tmp_path}/.venv"\n')
    assert program.how_to_install() == "type: source .venv/bin/activate"


def test_advice_can_be_typed_where_the_path_has_spaces(tmp_path, monkeypatch):
    (tmp_path / "my faces").mkdir()
    monkeypatch.setattr(program, "HERE", str(tmp_path / "my faces"))
    monkeypatch.chdir(os.path.dirname(tmp_path))
    assert f"make -C '{tmp_path}/my faces' setup" in program.how_to_install()
