import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from rcae.detector.detection import Region
from rcae.line.record.inspection import Inspection
from rcae.line.record.record import Record

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
START = datetime(2026, 11, 1, 6, tzinfo=UTC)


class Cluster:
    """A PostgreSQL server of its own, on a socket in a folder that is gone afterwards."""

    def __init__(self, folder):
        self.folder = folder
        self.url = f"postgresql://tester:s3cret@/postgres?host={folder}"
        self._run("initdb", "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def start(self):
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        self._run("pg_ctl", "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self):
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def empty(self):
        with self.connect() as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")

    def connect(self):
        return psycopg.connect(self.url, autocommit=True)

    def _run(self, program, *words):
        command = [PROGRAMS[-1] / program, "-D", self.folder / "data", *words]
        # It refuses to run as root. Not captured: the server keeps the pipe, which would never end.
        user = {"user": "postgres"} if os.geteuid() == 0 else {}
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, **user)


@pytest.fixture(scope="session")
def cluster():
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed in /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="rcae-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    started = Cluster(folder)
    yield started
    started.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request, tmp_path):
    """Of an empty record, in each kind of database."""
    if request.param == "sqlite":
        return str(tmp_path / "inspections.sqlite")
    started = request.getfixturevalue("cluster")
    started.empty()
    return started.url


@pytest.fixture
def record(location):
    opened = Record.open(location)
    yield opened
    opened.close()


REGION = Region(
    left_px=3, top_px=4, width_px=5, height_px=6, area_px=20, peak=1.5, peak_x_px=5, peak_y_px=7
)
EXAMPLE = Inspection(
    source="line-3/0001.png",
    image_sha256="0a" * 32,
    width_px=640,
    height_px=480,
    model="parts",
    model_sha256="1b" * 32,
    anomaly_score=0.4,
    p_value=0.3,
    threshold=1.0,
    is_defective=False,
    regions=(),
    duration_s=0.05,
)


def inspected(number, **changes):
    """The example, a minute later each, with an id and a source of its own."""
    values = {
        "id": f"{number:032x}",
        "time": START + timedelta(minutes=number),
        "source": f"line-3/{number:04d}.png",
    }
    return replace(EXAMPLE, **{**values, **changes})
