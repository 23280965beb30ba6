import csv
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "speed.py"


def speed(*arguments):
    command = [sys.executable, SCRIPT, "--sizes", "64", "--batches", "1", "--threads", "1"]
    done = subprocess.run(
        [*map(str, command), "--seconds", "0.05", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_speed_is_measured_per_model_and_part_and_finished_cases_are_kept(tmp_path):
    said = speed("-o", tmp_path, "--only", "torch,parts")
    assert "4 cases left" in said
    with (tmp_path / "speed.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["median_ms"]) > 0
    assert float(row["gflop_per_image"]) > 0
    assert float(row["times_torch"]) == 1
    with (tmp_path / "parts.csv").open(newline="") as file:
        parts = {row["part"]: float(row["gflop"]) for row in csv.DictReader(file)}
    assert sum(parts.values()) == pytest.approx(float(row["gflop_per_image"]))
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")

    assert "cases left" not in speed("-o", tmp_path, "--only", "torch,parts")


@pytest.mark.skipif(find_spec("anomalib") is not None, reason="anomalib is installed")
def test_a_model_that_cannot_be_built_gets_a_row_that_says_why(tmp_path):
    speed("-o", tmp_path, "--only", "padim", "--peers-python", sys.executable)
    assert "pip install" in (tmp_path / "speed.md").read_text()
