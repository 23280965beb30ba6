"""How long look-ups in a record take as it grows, as ratios within one run.

Fills a record in SQLite up to each size, and asks every question several times. Prints a Markdown table:
milliseconds (median), and times the first size.

    python benchmarks/record.py [--sizes 1000,10000,100000,1000000]
"""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from sqlalchemy import insert

from rcae.line.record.database import writing
from rcae.line.record.inspection import Inspection, Query, ReviewState
from rcae.line.record.record import Record
from rcae.line.record.rows import row_of
from rcae.line.record.tables import inspections
from rcae.study.summary import markdown_table

ROWS_AT_ONCE = 10_000
REPEATS = 5


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,10000,100000,1000000")
    sizes = [int(size) for size in parser.parse_args().sizes.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        record = Record.open(Path(folder) / "inspections.sqlite")
        first: dict[str, float] = {}
        rows, filled = [], 0
        for size in sizes:
            for start in range(filled, size, ROWS_AT_ONCE):
                _fill(record, start, min(start + ROWS_AT_ONCE, size))
            filled = size
            row = {"rows": str(size)}
            for name, ask in _questions(record, size).items():
                took_ms = median(_took_ms(ask) for _ in range(REPEATS))
                first.setdefault(name, took_ms)
                row[name] = f"{took_ms:.2f} ({took_ms / first[name]:.1f}x)"
            rows.append(row)
        record.close()
    print(markdown_table(list(rows[0]), [list(row.values()) for row in rows]))


def _questions(record: Record, size: int) -> dict[str, Callable[[], object]]:
    last = _inspection(size - 1)
    return {
        "known file": lambda: record.has("parts", last.source, last.image_sha256),
        "new file": lambda: record.has("parts", "new.png", "ff" * 32),
        "one by id": lambda: record.get(last.id),
        "newest 20": lambda: record.find(Query(), limit=20),
        "newest 20 defective": lambda: record.find(Query(is_defective=True), limit=20),
        "newest 20 not reviewed": lambda: record.find(Query(reviewed=ReviewState.NOT), limit=20),
        "scores of a model": lambda: record.scores(Query(model="parts"), limit=1000),
        "threshold": lambda: record.threshold("ab" * 32, 1.0),
    }


def _took_ms(ask: Callable[[], object]) -> float:
    since = time.perf_counter()
    ask()
    return (time.perf_counter() - since) * 1000


def _fill(record: Record, start: int, stop: int) -> None:
    with writing(record._engine) as connection:
        connection.execute(
            insert(inspections), [row_of(_inspection(number)) for number in range(start, stop)]
        )


def _inspection(number: int) -> Inspection:
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    return Inspection(
        source=f"/mnt/line-3/{number:08d}.png",
        image_sha256=sha256,
        width_px=640,
        height_px=480,
        model="parts",
        model_sha256="ab" * 32,
        anomaly_score=number % 997 / 997,
        p_value=0.5,
        threshold=1.0,
        is_defective=number % 100 == 0,
        regions=(),
        duration_s=0.05,
        id=sha256[:32],
    )


if __name__ == "__main__":
    main()
