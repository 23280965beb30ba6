"""A service around a model of one line, asked in this process; and as a process of its own."""

import threading
from contextlib import ExitStack

import pytest
from fastapi.testclient import TestClient

from rcae.line.model_file import ModelFile
from rcae.service.app import create_app
from rcae.service.limits import Limits
from rcae.service.served_model import ServedModel
from tests.line.grey_model import GreyRunner, grey_detector, png

GOOD, DEFECTIVE = png(20), png(200)


@pytest.fixture
def gate(monkeypatch):
    """While it is not set, the model draws nothing; `reached` is set once an image stands before it."""
    opened = threading.Event()
    opened.set()
    opened.reached = threading.Event()
    maps = GreyRunner.maps

    def maps_when_opened(self, images):
        opened.reached.set()
        assert opened.wait(20)
        return maps(self, images)

    monkeypatch.setattr(GreyRunner, "maps", maps_when_opened)
    yield opened
    opened.set()


@pytest.fixture
def serving(record, kept, tmp_path):
    """Start a service with these options of `create_app`; a client of it."""
    with ExitStack() as clients:

        def start(limits=None, base_url="http://localhost", **options):
            run = tmp_path / "runs" / "grey"
            run.mkdir(parents=True, exist_ok=True)
            (run / "model.safetensors").write_bytes(b"first")
            limits = limits or Limits()
            model = ServedModel.of(ModelFile(run), grey_detector(), record, kept, limits)
            app = create_app({model.name: model}, record, kept, limits=limits, **options)
            client = TestClient(app, base_url=base_url, raise_server_exceptions=False)
            return clients.enter_context(client)

        yield start


@pytest.fixture
def client(serving):
    return serving()


def inspect(client, content, name="part.png", model="grey"):
    return client.post(f"/api/models/{model}/inspections", files={"image": (name, content)})
