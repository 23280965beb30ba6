import getpass
import shutil
import socket
import subprocess
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rcae.detector.detection import Region
from rcae.line.record.inspection import Inspection
from tests.conftest import until

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def inspection(number, **changes):
    values = {
        "source": f"part-{number}.png",
        "image_sha256": f"{number:064x}",
        "width_px": 40,
        "height_px": 30,
        "model": "parts",
        "model_sha256": "ab" * 32,
        "anomaly_score": 0.25,
        "p_value": 0.5,
        "threshold": 0.125,
        "is_defective": True,
        "regions": (Region(1, 2, 3, 4, 12, 0.25, 2, 3),),
        "duration_s": 0.5,
        "executed_sha256": None,
        "remark": None,
        "time": datetime(2026, 11, 25, 8, 0, 0, 500_000, tzinfo=UTC),
        "id": f"{number:032x}",
        "number": number,
    }
    return Inspection(**values | changes)


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Broker:
    """A real mosquitto that can be killed and started again on the same port."""

    def __init__(self, folder, settings=("allow_anonymous true",)):
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", *settings]
        lines.append(f"user {getpass.getuser()}")  # started by root, it would read no file of ours
        self._file.write_text("\n".join([*lines, ""]))
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", self._file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._answers)

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def make_broker(tmp_path):
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    made = []

    def make(**options):
        made.append(Broker(tmp_path, **options))
        made[-1].start()
        return made[-1]

    yield make
    for broker in made:
        broker.kill()


@pytest.fixture
def broker(make_broker):
    return make_broker()


class Subscriber:
    """Hears everything sent to `line/#`, in order; connects again where the broker was gone.

    One that is remembered hears later what came while it was gone.
    """

    def __init__(self, port, is_remembered=False):
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard = []
        subscribed = threading.Event()
        client = Client(CallbackAPIVersion.VERSION2, "subscriber", clean_session=not is_remembered)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda c, *_: c.subscribe("line/#", qos=1)
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = lambda _c, _u, m: self.heard.append((m.topic, m.payload))
        client.connect("127.0.0.1", port)
        client.loop_start()
        self._client = client
        assert subscribed.wait(20)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def subscriber(broker):
    subscriber = Subscriber(broker.port)
    yield subscriber
    subscriber.close()


class Receiver:
    """An HTTP server that answers as it is told, then with 204; it keeps what it was sent."""

    def __init__(self):
        receiver = self
        self.script = []
        """Next answers: a status, (status, headers), "hang" or "close"."""
        self.requests = []
        """(path, headers, body) of each request, in order."""
        self.released = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, dict(self.headers), body))
                answer = receiver.script.pop(0) if receiver.script else 204
                if answer == "hang":
                    receiver.released.wait(20)
                if answer in ("hang", "close"):
                    self.close_connection = True
                    return
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/inspections"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self):
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()
