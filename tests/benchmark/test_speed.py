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


# One test, since the processes that measure take seconds to start.
@pytest.mark.skipif(find_spec("anomalib") is not None, reason="anomalib is installed")
def test_each_model_and_part_is_measured_or_its_row_says_why_not_and_finished_cases_are_kept(
    tmp_path,
):
    options = ("-o", tmp_path, "--only", "torch,parts,padim", "--peers-python", sys.executable)
    said = speed(*options)
    assert "5 cases left" in said
    with (tmp_path / "speed.csv").open(newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert float(rows["torch"]["median_ms"]) > 0
    assert float(rows["torch"]["gflop_per_image"]) > 0
    assert float(rows["torch"]["times_torch"]) == 1
    assert "pip install" in (tmp_path / "speed.md").read_text()
    with (tmp_path / "parts.csv").open(newline="") as file:
        parts = {row["part"]: float(row["gflop"]) for row in csv.DictReader(file)}
    assert sum(parts.values()) == pytest.approx(float(rows["torch"]["gflop_per_image"]))
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")

    assert "cases left" not in speed(*options)
