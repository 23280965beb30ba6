"""`rcae serve` as a process: started, loaded, stopped, killed."""

import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from rcae.base.extras import install_command
from rcae.line.record.inspection import Query
from rcae.line.record.record import Record

BOUNDARY = b"b" * 20
START_S = 60


def form(content):
    head = b'Content-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    return b"--" + BOUNDARY + b"\r\n" + head + content + b"\r\n--" + BOUNDARY + b"--\r\n"


@contextmanager
def started(folder, run, *options):
    """The process and its port, once it listens."""
    command = [sys.executable, "-P", "-m", "rcae", "serve", run, "--port", "0", *options]
    with subprocess.Popen(
        [*map(str, command)], cwd=folder, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stderr.readline()
            yield process, int(re.search(r"http://127\.0\.0\.1:(\d+)/", line)[1])
        finally:
            process.kill()


class Client(threading.Thread):
    """Sends the same image again and again on one connection, until that ends."""

    def __init__(self, port, content):
        super().__init__()
        self.port, self.body = port, form(content)
        self.acknowledged, self.others = [], []

    def run(self):
        import json

        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
        header = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
        try:
            while True:
                connection.request("POST", "/api/models/parts/inspections", self.body, header)
                answer = connection.getresponse()
                content = json.loads(answer.read())
                if answer.status == 201:
                    self.acknowledged.append(content["id"])
                else:
                    self.others.append(answer.status)
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()


@contextmanager
def loaded(port, content, count=6):
    """Clients at work, a good many of whose images have been answered."""
    clients = [Client(port, content) for _ in range(count)]
    for client in clients:
        client.start()
    deadline = time.monotonic() + START_S
    while sum(len(client.acknowledged) for client in clients) < 30:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield clients
    for client in clients:
        client.join(START_S)


@pytest.fixture
def image(parts):
    return (parts / "test" / "good" / "000.png").read_bytes()


def recorded(folder):
    record = Record.open(folder / "inspections.sqlite")
    found = [one.id for one in record.each(Query())]
    record.close()
    return found


def test_told_to_stop_it_answers_and_records_what_it_accepted(finished_run, image, tmp_path):
    with started(tmp_path, finished_run) as (process, port):
        with loaded(port, image) as clients:
            process.send_signal(signal.SIGTERM)
            assert process.wait(START_S) == 0
        assert "Traceback" not in process.stderr.read()
    acknowledged = [one for client in clients for one in client.acknowledged]
    assert sorted(recorded(tmp_path)) == sorted(acknowledged)
    assert {status for client in clients for status in client.others} <= {503}


def test_killed_under_load_it_loses_nothing_that_was_acknowledged(finished_run, image, tmp_path):
    with started(tmp_path, finished_run) as (process, port), loaded(port, image) as clients:
        process.kill()
        process.wait(START_S)
    acknowledged = [one for client in clients for one in client.acknowledged]
    found = recorded(tmp_path)
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))
    assert len(found) <= len(acknowledged) + len(clients)  # each had one more on its way


def answer_to(port, sent, then=b""):
    """What comes back on a connection, until it is closed or nothing comes for a while."""
    with socket.create_connection(("127.0.0.1", port), timeout=START_S) as connection:
        connection.sendall(sent)
        if then:
            connection.sendall(then)
        received = b""
        while piece := connection.recv(65536):
            received += piece
            if b"\r\n\r\n" in received:
                break
        return received


def test_hostile_connections_are_refused_and_the_next_one_is_served(
    finished_run, tmp_path, monkeypatch, rcae
):
    with started(tmp_path, finished_run) as (process, port):
        get = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        assert b" 200 " in answer_to(port, get + b"\r\n")
        huge = answer_to(port, get + b"X: " + b"x" * 200_000 + b"\r\n\r\n")
        assert b" 400 " in huge or b" 431 " in huge
        assert b" 400 " in answer_to(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        post = (
            b"POST /api/models/parts/inspections HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n"
        )
        announced = answer_to(port, post + b"Content-Length: 99999999999\r\n\r\n", b"x" * 1000)
        assert b" 413 " in announced  # although most of it was never sent
        assert b"connection: close" in announced.lower()
        half = socket.create_connection(("127.0.0.1", port))
        half.sendall(post + b"Content-Length: 1000\r\n\r\nhalf")
        half.close()
        assert b" 200 " in answer_to(port, get + b"\r\n")
        code, _, err = rcae("serve", finished_run, "--port", port, "--store", tmp_path / "other")
        assert (code, f"Port {port}" in err) == (2, True)
        process.send_signal(signal.SIGINT)
        assert process.wait(START_S) == 0
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--host", "0.0.0.0"], 2, "--api-key-file"),
        (["--api-key-file", "missing"], 2, "missing"),
        (["--allow", "missing"], 2, "--allow missing"),
        (["--store", "missing/inspections.sqlite"], 2, "missing"),
        (["--host", "no such host"], 2, "--host"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    rcae, finished_run, tmp_path, monkeypatch, options, code, words
):
    monkeypatch.chdir(tmp_path)
    found, out, err = rcae("serve", finished_run, "--port", "0", *options)
    assert (found, out) == (code, "")
    assert words in err
    assert list(tmp_path.iterdir()) == []


def test_models_that_cannot_be_told_apart_or_are_missing_are_refused(
    rcae, finished_run, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, _, err = rcae("serve", finished_run, finished_run / "model.safetensors", "--port", "0")
    assert code == 2
    assert "second model named 'parts'" in err
    code, _, err = rcae("serve", tmp_path / "no-run", "--port", "0")
    assert code == 2
    assert "no-run does not exist" in err


def test_without_fastapi_it_says_how_to_get_it():
    from tests.base.test_extras import without

    code = "sys.argv = ['rcae', 'serve', 'runs/parts']\nfrom rcae.cli.main import main\nmain()"
    done = without(["fastapi"], code)
    assert done.returncode == 2
    assert f"rcae serve needs FastAPI; run: {install_command('serve')}\n" in done.stderr
    assert done.stderr.count("\n") == 1
