import re
from pathlib import Path

import pytest

from tests.conftest import TINY

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs_as_written(parts, tmp_path, monkeypatch, capsys):
    (tmp_path / "parts").symlink_to(parts)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "0001.png").symlink_to(parts / "test" / "scratch" / "000.png")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert "budget_s=1800" in example  # half an hour is too long for a test; all else is as written
    code = example.replace("budget_s=1800", f"values={TINY}")
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split()[0] in ("True", "False")
    assert 0 <= float(printed[-1]) <= 1


def test_every_option_of_the_commands_is_explained():
    from rcae.cli import cli

    for name, command in cli.commands.items():
        for parameter in command.params:
            if parameter.param_type_name == "option" and name != "demo":
                longest = max(parameter.opts, key=len)
                assert longest in README or parameter.opts[0] in README, (name, longest)


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)", README))
def test_every_file_the_readme_links_to_exists(link):
    assert (Path(__file__).parents[1] / link).exists()
