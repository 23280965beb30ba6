"""Load on `rcae serve`: requests a second, latency and memory with 1, 8 and 64 clients.

    python benchmarks/load.py RUN IMAGE... [--seconds 20] [--clients 1,8,64]

Starts the service on RUN at 127.0.0.1, in a folder that is removed afterwards, and lets that many clients
send the images in turn, each on a connection of its own, the next one once the last is answered. A client
that is told the service is busy (503) waits as long as it is asked to. Prints a table in Markdown. Anything
but 201 and 503 is an error; then the exit code is 1. Needs Linux, for the memory in use.
"""

import argparse
import http.client
import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

BOUNDARY = "rcae-load"
LONGEST_ANSWER_S = 300
COLUMNS = (
    "clients",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "503 %",
    "other errors",
    "MiB at start",
    "MiB at end",
)


@dataclass
class Tally:
    """What the clients of one case saw."""

    durations_s: list[float] = field(default_factory=list)
    """Of requests answered with 201."""
    busy: int = 0
    others: list[str] = field(default_factory=list)


def main() -> None:
    """Measure every case, print the table."""
    options = _options()
    bodies = [_form(image) for image in options.images]
    has_failed = False
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        service, port = _started(options.run, Path(folder))
        try:
            url = f"/api/models/{_model(port)}/inspections"
            _load(port, url, bodies, clients=1, seconds=0)  # the first is slower
            for clients in options.clients:
                before = _memory_mib(service)
                started_at = time.perf_counter()
                tally = _load(port, url, bodies, clients, options.seconds)
                elapsed_s = time.perf_counter() - started_at
                print(_row(clients, tally, elapsed_s, before, _memory_mib(service)), flush=True)
                for error in sorted(set(tally.others)):
                    print(f"error: {error}", file=sys.stderr)
                has_failed |= bool(tally.others) or not tally.durations_s
            service.send_signal(signal.SIGTERM)
            has_failed |= service.wait(LONGEST_ANSWER_S) != 0
        finally:
            service.kill()
    sys.exit(1 if has_failed else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each case")
    parser.add_argument(
        "--clients",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[1, 8, 64],
    )
    return parser.parse_args()


def _form(image: Path) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{image.name}"\r\n\r\n'
    return head.encode() + image.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def _started(run: Path, folder: Path) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "rcae", "serve", str(run.resolve()), "--port", "0"]
    service = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)  # noqa: S603
    assert service.stderr is not None
    found = re.search(r"http://127\.0\.0\.1:(\d+)/", line := service.stderr.readline())
    if found is None:
        sys.exit(line.strip())
    threading.Thread(target=service.stderr.read, daemon=True).start()
    return service, int(found[1])


def _model(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_ANSWER_S)
    connection.request("GET", "/api/models")
    return str(json.loads(connection.getresponse().read())[0]["name"])


def _load(port: int, url: str, bodies: list[bytes], clients: int, seconds: float) -> Tally:
    """Let clients send for so many seconds, at least one request each."""
    tally, ends_at = Tally(), time.perf_counter() + seconds
    threads = [
        threading.Thread(target=_send, args=(port, url, bodies[n % len(bodies) :], tally, ends_at))
        for n in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def _send(port: int, url: str, bodies: list[bytes], tally: Tally, ends_at: float) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_ANSWER_S)
    header = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    number = 0
    while not number or time.perf_counter() < ends_at:
        started_at = time.perf_counter()
        try:
            connection.request("POST", url, bodies[number % len(bodies)], header)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            tally.others.append(repr(error))
            return
        number += 1
        if answer.status == 201:
            tally.durations_s.append(time.perf_counter() - started_at)
        elif answer.status == 503:
            tally.busy += 1
            time.sleep(float(answer.headers["Retry-After"]))
        else:
            tally.others.append(f"{answer.status} {content[:200]!r}")
    connection.close()


def _memory_mib(service: subprocess.Popen[str]) -> int:
    status = Path(f"/proc/{service.pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    return round(int(match[1]) / 1024) if match else 0


def _row(clients: int, tally: Tally, elapsed_s: float, before: int, after: int) -> str:
    done = len(tally.durations_s)
    asked = done + tally.busy + len(tally.others)
    median, slow = np.percentile(tally.durations_s, [50, 99]) * 1000 if done else (0, 0)
    cells = (
        clients,
        f"{done / elapsed_s:.2f}",
        f"{median:.0f}",
        f"{slow:.0f}",
        f"{100 * tally.busy / asked:.1f}",
        len(tally.others),
        before,
        after,
    )
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
