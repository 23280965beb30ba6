import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import draw_part


@pytest.fixture
def new_workplace(parts, finished_run, other_run, tmp_path, monkeypatch):
    """Makes a new current folder, with all that the examples of docstrings name."""

    def make():
        random = np.random.default_rng(1)
        place = Path(tempfile.mkdtemp(dir=tmp_path))
        (place / "parts").symlink_to(parts)
        for name, run in (("parts", finished_run), ("other", other_run)):
            shutil.copytree(run, place / "runs" / name)
        (place / "tuesday").mkdir()
        for number in range(20):
            Image.fromarray(draw_part(random)).save(place / "tuesday" / f"{number:04d}.png")
        (place / "new").mkdir()
        shutil.copyfile(parts / "test/scratch/000.png", place / "new" / "0001.png")
        for number in (2, 3):
            shutil.copyfile(parts / f"test/good/00{number}.png", place / f"new/000{number}.png")
        monkeypatch.chdir(place)
        return place

    return make


@pytest.fixture
def workplace(new_workplace):
    return new_workplace()
