"""Export of recorded inspections as CSV and Parquet, in bounded memory."""

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from rcae.base.extras import require
from rcae.base.storage import write_atomically
from rcae.detector.detection import Region
from rcae.line.record.inspection import Inspection

ROWS_AT_ONCE = 10_000
"""Size of a Parquet row group."""

COLUMNS = {
    "number": "int64",
    "id": "string",
    "time": "timestamp",
    "source": "string",
    "image_sha256": "string",
    "width_px": "int64",
    "height_px": "int64",
    "model": "string",
    "model_sha256": "string",
    "executed_sha256": "string",
    "anomaly_score": "float64",
    "p_value": "float64",
    "threshold": "float64",
    "is_defective": "bool",
    "regions": "regions",
    "duration_s": "float64",
    "remark": "string",
    "verdict": "string",
    "author": "string",
    "note": "string",
    "reviewed": "timestamp",
}
"""Name and type of each column; the columns after `remark` describe the last review, if any."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that a spreadsheet would compute as a formula (OWASP, CSV injection)."""


def row(inspection: Inspection) -> dict[str, Any]:
    """Return the values of an inspection by column, as Parquet takes them."""
    last = inspection.reviews[-1] if inspection.reviews else None
    return {
        **vars(inspection),
        "regions": [asdict(region) for region in inspection.regions],
        "verdict": last and last.verdict,
        "author": last and last.author,
        "note": last and last.note,
        "reviewed": last and last.time,
    }


def write_csv(path: Path, inspections: Iterable[Inspection]) -> int:
    """Write the file atomically and return the number of rows.

    Times are ISO 8601 in UTC, regions are JSON. A text that a spreadsheet would compute begins with "'".

    Raises:
        StorageError: the disk refused; an older file is intact.
    """
    return _written(path, lambda temporary: _write_csv(temporary, inspections))


def write_parquet(path: Path, inspections: Iterable[Inspection]) -> int:
    """Write the file atomically and return the number of rows.

    Times have the time zone UTC; regions are lists of structs.

    Raises:
        MissingExtraError: PyArrow is not installed.
        StorageError: the disk refused; an older file is intact.
    """
    require("pyarrow", purpose="a Parquet file")
    return _written(path, lambda temporary: _write_parquet(temporary, inspections))


WRITERS = {".csv": write_csv, ".parquet": write_parquet}
"""Writer for each file suffix."""


def _written(path: Path, write: Callable[[Path], int]) -> int:
    counts: list[int] = []
    write_atomically(path, lambda temporary: counts.append(write(temporary)))
    return counts[0]


def _write_csv(path: Path, inspections: Iterable[Inspection]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for inspection in inspections:
            values = row(inspection)
            writer.writerow(_as_text(values[name], kind) for name, kind in COLUMNS.items())
            count += 1
    return count


def _as_text(value: Any, kind: str) -> str | None:
    if value is None:
        return None
    if kind == "timestamp":
        return str(value.isoformat())
    if kind in ("regions", "bool"):
        return json.dumps(value)
    if kind == "string":
        return f"'{value}" if value.startswith(_FORMULA) else str(value)
    return repr(value) if kind == "float64" else str(value)


def _write_parquet(path: Path, inspections: Iterable[Inspection]) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    schema = _schema()
    count, left = 0, iter(inspections)
    with parquet.ParquetWriter(path, schema) as writer:
        while rows := [row(inspection) for inspection in islice(left, ROWS_AT_ONCE)]:
            writer.write_table(pa.Table.from_pylist(rows, schema))
            count += len(rows)
    return count


def _schema() -> Any:
    import pyarrow as pa

    fields = {name: pa.int64() for name in Region.__dataclass_fields__}
    types = {
        "int64": pa.int64(),
        "float64": pa.float64(),
        "string": pa.string(),
        "bool": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "regions": pa.list_(pa.struct(fields | {"peak": pa.float64()})),
    }
    return pa.schema({name: types[kind] for name, kind in COLUMNS.items()})
