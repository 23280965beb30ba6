import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY, draw_part

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
    if line.startswith("rcae ")
]
LONG = ("serve", "watch", "reproduce", "benchmark", "--preset")
"""Without an end, or hours long: tested where each is at home, here only read."""


def test_the_python_example_runs_as_written(parts, tmp_path, monkeypatch, capsys):
    (tmp_path / "parts").symlink_to(parts)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "0001.png").symlink_to(parts / "test" / "scratch" / "000.png")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert 'budget="30m"' in example  # half an hour is too long for a test; all else is as written
    code = example.replace('budget="30m"', f"set={TINY}")
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split()[0] in ("True", "False")
    assert 0 <= float(printed[-1]) <= 1


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)", README))
def test_every_file_the_readme_links_to_exists(link):
    assert (Path(__file__).parents[1] / link).exists()


@pytest.fixture
def where_the_readme_stands(tmp_path, monkeypatch, parts):
    """A folder with everything its commands read, and nothing else."""
    random = np.random.default_rng(1)
    (tmp_path / "parts").symlink_to(parts)
    for folder, count in (("new", 12), ("tuesday", 299)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            Image.fromarray(draw_part(random)).save(tmp_path / folder / f"{number:04d}.png")
    video = cv2.VideoWriter(
        str(tmp_path / "video.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (40, 40)
    )
    for _ in range(35):
        video.write(draw_part(random))
    video.release()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("where_the_readme_stands")
def test_its_commands_run_as_written_one_after_the_other(rcae):
    tiny = [word for value in TINY for word in ("--set", value)]
    assert rcae("train", "parts/", "-o", "runs/other", "--seed", "1", *tiny)[0] == 0
    ran = set()
    for words in COMMANDS:
        if not set(words) & set(LONG):
            if "--budget" in words:  # half an hour, as in the example above
                where = words.index("--budget")
                words = [*words[:where], *tiny, *words[where + 2 :]]
            code, _, err = rcae(*words)
            assert code == 0, (words, err)
            ran.add(words[0])
    assert {"doctor", "predict", "feedback", "card", "camera", "history", "verify"} <= ran


@pytest.mark.parametrize(
    "words", [words for words in COMMANDS if set(words) & set(LONG)], ids=" ".join
)
def test_those_that_take_long_are_understood_as_written(words, tmp_path, monkeypatch):
    from rcae.cli.main import cli

    monkeypatch.chdir(tmp_path)
    for folder in ("screw", "magnetic_tile", "ballscrew", "tile", "incoming"):
        (tmp_path / folder).mkdir()
    cli.commands[words[0]].make_context(words[0], words[1:])
