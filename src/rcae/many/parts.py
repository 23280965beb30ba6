"""Results of a large inspection: a Parquet file for each part, complete or absent, and their merge."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from rcae.base.errors import DataError, StorageError, UsageError
from rcae.base.extras import require
from rcae.base.progress import shown
from rcae.base.storage import write_atomically
from rcae.base.text import printable
from rcae.detector.detection import Region
from rcae.detector.detector import Detector
from rcae.detector.predictions import Pictures, Prediction, PredictionCounts, predicted, write_rows
from rcae.many.plan import Plan

PLAN, COUNTS = b"rcae.plan", b"rcae.counts"
"""Keys of a file's metadata: identity of its plan, and its number of images with each decision."""
MOST_NAMED = 5
"""Parts that a message names at most."""


def file_of(output: Path, part: int) -> Path:
    """Return the file of a part, counted from 0."""
    return output / "parts" / f"part-{part:06d}.parquet"


def inspect_part(
    detector: Detector, plan: Plan, part: int, *, overlays: bool, maps: bool
) -> PredictionCounts:
    """Inspect the images of a part and write its file.

    Raises:
        StorageError: the disk refused, or an object store cannot be read now.
        DataError: the list of images was changed.
    """
    pictures = Pictures(plan.output, overlays, maps)
    rows = predicted(detector, plan.locations(part), pictures, plan.first_number(part))
    return write_part(plan, part, list(rows))


def write_part(plan: Plan, part: int, rows: Sequence[Prediction]) -> PredictionCounts:
    """Write the file of a part atomically.

    Raises:
        MissingExtraError: PyArrow is not installed.
        StorageError: the disk refused.
    """
    require_parquet()
    import pyarrow as pa
    from pyarrow import parquet

    counts = PredictionCounts.of(rows)
    schema = _schema().with_metadata({PLAN: plan.identity, COUNTS: json.dumps(vars(counts))})
    table = pa.Table.from_pylist([row.model_dump() for row in rows], schema)
    file = file_of(plan.output, part)
    write_atomically(file, lambda temporary: parquet.write_table(table, temporary))
    return counts


def read_part(plan: Plan, part: int) -> Iterator[Prediction]:
    """Yield the rows of a part.

    Raises:
        DataError: the file cannot be read, is of another plan, or has other images than the plan.
    """
    from pyarrow import parquet

    file = file_of(plan.output, part)
    _require_of_plan(plan, part, _metadata(file))
    rows = parquet.read_table(file).to_pylist()
    names = [printable(location) for location in plan.locations(part)]
    if [row["path"] for row in rows] != names:
        raise DataError(f"{file} has other images than its plan; remove it and inspect it again.")
    for row in rows:
        yield Prediction.model_validate_json(json.dumps(row))


def missing_parts(plan: Plan) -> list[int]:
    """Return the numbers of the parts that have no file."""
    folder = file_of(plan.output, 0).parent
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return [part for part in range(plan.part_count) if file_of(folder, part).name not in names]


def counted(plan: Plan, parts: Sequence[int]) -> PredictionCounts:
    """Return the number of images with each decision over finished parts.

    Raises:
        DataError: a file cannot be read, or is of another plan.
    """
    total = PredictionCounts()
    for part in parts:
        metadata = _metadata(file_of(plan.output, part))
        _require_of_plan(plan, part, metadata)
        total += PredictionCounts(**json.loads(metadata[COUNTS]))
    return total


def merge(plan: Plan) -> PredictionCounts:
    """Write `predictions.csv` and `predictions.jsonl` from all parts, each image exactly once, in order.

    Raises:
        UsageError: a part is missing, or the files exist already.
        DataError: a part is damaged, of another plan, or has other images.
        StorageError: the disk refused; neither file is there then.
    """
    require_parquet()
    if missing := missing_parts(plan):
        names = ", ".join(file_of(plan.output, part).name for part in missing[:MOST_NAMED])
        raise UsageError(
            f"{plan.output}: {len(missing)} of {plan.part_count} parts are missing ({names}"
            f"{', ...' if len(missing) > MOST_NAMED else ''}); run the shards again, which inspect what is "
            "missing."
        )
    targets = [plan.output / name for name in ("predictions.csv", "predictions.jsonl")]
    for target in targets:
        if target.exists():
            raise UsageError(f"{target} already exists; move it away, so that no result is lost.")
    rows = (row for part in range(plan.part_count) for row in read_part(plan, part))
    with tempfile.TemporaryDirectory(prefix=".merge-", dir=plan.output) as folder:
        counts = write_rows(
            shown(rows, "merging", total=plan.division.image_count), Path(folder) / "rows"
        )
        for target in targets:
            (Path(folder) / "rows" / target.name).replace(target)
    return counts


def require_parquet() -> None:
    """Refuse to go on without PyArrow.

    Raises:
        MissingExtraError: PyArrow is not installed.
    """
    require("pyarrow", purpose="a part, a Parquet file,")


def _require_of_plan(plan: Plan, part: int, metadata: Mapping[bytes, bytes]) -> None:
    if metadata.get(PLAN) != plan.identity.encode():
        raise DataError(
            f"{file_of(plan.output, part)} is of another list or model than the plan beside it; remove it "
            "and inspect it again."
        )


def _metadata(file: Path) -> Mapping[bytes, bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        found: Mapping[bytes, bytes] | None = parquet.read_schema(file).metadata
    except pa.ArrowException as error:
        raise DataError(f"{file} is damaged ({error}); remove it and inspect it again.") from error
    except OSError as error:
        raise StorageError(f"{file} cannot be read ({error.strerror or error}).") from error
    return found or {}


def _schema() -> Any:
    """Return the columns of a part: the fields of `Prediction`, regions as a list of structs."""
    import pyarrow as pa

    region = {
        name: pa.float64() if field.type is float else pa.int64()
        for name, field in Region.__dataclass_fields__.items()
    }
    columns = {
        name: pa.float64()
        if float in (field.annotation, *get_args(field.annotation))
        else pa.string()
        for name, field in Prediction.model_fields.items()
    }
    return pa.schema(columns | {"regions": pa.list_(pa.struct(region))})
