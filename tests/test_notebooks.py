"""The notebooks run: their cells as a script, with settings so small that it takes seconds."""

import json
import re
import shlex
from pathlib import Path

import pytest

from rcae.cli.main import cli
from rcae.study import cells
from tests.conftest import TINY

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples" / "notebooks").glob("*.ipynb"))
SHORT = re.compile(r'"""\n\[image\].*?"""', re.DOTALL)


def code_cells(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_output(notebook):
    for cell in code_cells(notebook):
        assert (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_cells_of_a_notebook_run_one_after_the_other(notebook, tmp_path, monkeypatch, rcae):
    def shell(line):
        name, *words = shlex.split(line)
        code, _, err = rcae(*words)
        assert (name, code) == ("rcae", 0), (line, err)

    def run_cell(folder):
        """Run in this process: a new one imports PyTorch for seconds."""
        cli.commands["run-cell"].main([str(folder.path)], standalone_mode=False)

    monkeypatch.setattr(cells, "_run", run_cell)
    text = "\n".join("".join(cell["source"]) for cell in code_cells(notebook))
    text = SHORT.sub(lambda _: repr("\n".join(TINY)), text.replace("=SETTINGS", f"={TINY}"))
    assert str(TINY[0]) in text  # at full size a test takes too long
    monkeypatch.chdir(tmp_path)
    exec(
        compile(re.sub("^!(.*)$", r"shell('\1')", text, flags=re.MULTILINE), notebook.name, "exec"),
        {"shell": shell},
    )
