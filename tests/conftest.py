import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Before anything loads torch or scikit-learn: two OpenMP runtimes with several threads each in one
# process wait for one another.
os.environ["OMP_NUM_THREADS"] = "1"

from functools import partial

import numpy as np
import pytest
from PIL import Image

from rcae.base.settings import Settings, load_settings
from rcae.cli import main as cli

TINY = (
    "image.size_px=32",
    "model.recursion_depth=2",
    "model.carried_channels=4",
    "model.reconstruction_widths=[4, 8]",
    "model.detail_widths=[4, 8]",
    "model.detection_widths=[4, 8]",
    "training.crop_px=32",
    "training.batch_size=2",
    "training.reconstruction.steps=3",
    "training.detail.steps=2",
    "training.detection.steps=3",
    "calibration.minimum_images=4",
)
"""Settings small enough to train in a second."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first: no worker is left with it at the end while the others have nothing."""
    items.sort(key=lambda item: "training" not in item.path.parts)


@pytest.fixture(autouse=True)
def _same_draws_every_time() -> None:
    """Weights and images that a test draws from torch's own generator do not differ from run to run."""
    import torch  # seconds, which processes that tests start need not spend

    torch.manual_seed(0)


@pytest.fixture
def tiny_settings() -> Settings:
    return load_settings("quick", values=TINY)


def draw_part(random: np.random.Generator, side_px: int = 40) -> np.ndarray:
    """A grey disc on a dark ground, with noise: an image of a good part, uint8 RGB."""
    rows, columns = np.mgrid[:side_px, :side_px] - side_px / 2
    disc = (np.hypot(rows, columns) < side_px / 3) * 120 + 60
    noise = random.normal(0, 6, (side_px, side_px, 3))
    return np.clip(disc[..., None] + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def parts(tmp_path_factory):
    """A small category in MVTec AD layout: 16 good images, 4 good and 4 scratched ones to test."""
    root = tmp_path_factory.mktemp("data") / "parts"
    random = np.random.default_rng(0)
    for split, count in (("train/good", 16), ("test/good", 4), ("test/scratch", 4)):
        (root / split).mkdir(parents=True)
        for number in range(count):
            pixels = draw_part(random)
            if split == "test/scratch":
                mask = np.zeros(pixels.shape[:2], dtype=bool)
                mask[10:14, 6 + number : 30] = True
                pixels[mask] = (255, 30, 30)
                target = root / "ground_truth" / "scratch" / f"{number:03d}_mask.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(target)
            Image.fromarray(pixels).save(root / split / f"{number:03d}.png")
    return root


@pytest.fixture(scope="session")
def finished_run(parts, tmp_path_factory):
    """The run folder of a tiny, finished training on `parts`."""
    import rcae

    run = tmp_path_factory.mktemp("runs") / "parts"
    rcae.train(parts, run, set=TINY)
    return run


@pytest.fixture(scope="session")
def other_run(parts, tmp_path_factory):
    """As `finished_run`, with another seed."""
    import rcae

    run = tmp_path_factory.mktemp("runs") / "other"
    rcae.train(parts, run, set=TINY, seed=1)
    return run


@pytest.fixture
def said(caplog):
    """Returns the messages of the package since the last call, one on each line."""
    caplog.set_level(logging.INFO, "rcae")

    def since_the_last_call() -> str:
        text = "\n".join(caplog.messages)
        caplog.clear()
        return text

    return since_the_last_call


def until(holds: Callable[[], object], longest_s: float = 20.0) -> None:
    """Wait for another thread or process; a test fails when it takes far too long."""
    late = time.monotonic() + longest_s
    while not holds():
        assert time.monotonic() < late, "it never came"
        time.sleep(0.01)


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """A disk that is full as soon as a file is larger: the system itself refuses."""
    resource = pytest.importorskip("resource")  # Windows has none
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def call(monkeypatch, capsys, *words):
    """Run `rcae WORDS...` as a user would: exit code, standard output, standard error."""
    monkeypatch.setattr("sys.argv", ["rcae", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err
    return stop.value.code, printed.out, printed.err


@pytest.fixture
def rcae(monkeypatch, capsys):
    """`call`, for a test that runs several commands."""
    return partial(call, monkeypatch, capsys)


@pytest.fixture
def record(tmp_path):
    """An empty record in SQLite."""
    from rcae.line.record.record import Record

    opened = Record.open(tmp_path / "inspections.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def kept(tmp_path):
    """A folder for pictures beside it."""
    from rcae.line.record.kept_images import KeptImages

    return KeptImages(tmp_path / "images", 100)
