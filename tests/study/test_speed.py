import csv
import subprocess
import sys
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


def python_without_anomalib(folder):
    """This one, in which anomalib cannot be found even where it is installed."""
    (folder / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'anomalib' else found(name)\n"
    )
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return python


# One test, since the processes that measure take seconds to start.
def test_each_model_and_part_is_measured_or_its_row_says_why_not_and_finished_cases_are_kept(
    tmp_path, tmp_path_factory
):
    python = python_without_anomalib(tmp_path_factory.mktemp("without"))
    options = ("-o", tmp_path, "--only", "torch,parts,padim", "--peers-python", python)
    said = speed(*options)
    assert "5 cases left" in said
    with (tmp_path / "speed.csv").open(newline="") as file:
        row, without = csv.DictReader(file)
    assert float(row["median_ms"]) > 0
    assert float(row["gflop_per_image"]) > 0
    assert float(row["times_torch"]) == 1
    assert "pip install" in without["failed"]
    assert "pip install" in (tmp_path / "speed.md").read_text()
    with (tmp_path / "parts.csv").open(newline="") as file:
        parts = {row["part"]: float(row["gflop"]) for row in csv.DictReader(file)}
    assert sum(parts.values()) == pytest.approx(float(row["gflop_per_image"]))
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")

    assert "cases left" not in speed(*options)
