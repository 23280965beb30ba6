import numpy as np
import pytest

from rcae.detector.detector import Detector
from rcae.line.inspector import Inspector
from rcae.line.record.kept_images import KeptImages
from rcae.line.record.record import Record
from tests.conftest import draw_part
from tests.line.outputs.conftest import Receiver


@pytest.fixture(scope="session")
def detector(finished_run):
    return Detector.load(finished_run)


@pytest.fixture
def record(tmp_path):
    record = Record.open(tmp_path / "record.sqlite")
    yield record
    record.close()


@pytest.fixture
def inspector(detector, record, tmp_path):
    return Inspector("parts", detector, record, KeptImages(tmp_path / "kept", 10))


@pytest.fixture
def draw():
    """Another part each time."""
    random = np.random.default_rng(0)
    return lambda: draw_part(random)


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def place(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    return place
