"""Rows of VisA's published split table for one category."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, cast

from rcae.base.errors import DataError

_COLUMNS = {"object", "split", "label", "image", "mask"}
_SPLITS = ("train", "test")
_LABELS = ("normal", "anomaly")


@dataclass(frozen=True)
class VisaRow:
    """One image; paths are relative to the category's folder."""

    split: Literal["train", "test"]
    is_defective: bool
    image: PurePosixPath
    mask: PurePosixPath | None


def read_visa_table(table: Path, category: str) -> list[VisaRow]:
    """Read the rows of one category.

    Args:
        table: `split_csv/1cls.csv` of the published dataset.
        category: the name of its folder, "object" in the table.

    Raises:
        DataError: the table is missing, is not VisA's, or does not know the category.
    """
    rows = [
        _parse(row, category, f"{table}, line {line}")
        for line, row in _rows(table)
        if row["object"] == category
    ]
    if not rows:
        raise DataError(
            f"{table} has no row for the object '{category}'; give the folder the name that it has "
            "there."
        )
    return rows


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = _COLUMNS.difference(reader.fieldnames or ())
            if missing:
                raise DataError(
                    f"{table} lacks the columns {', '.join(sorted(missing))}; restore VisA's own "
                    "file."
                )
            for row in reader:
                yield reader.line_num, row
    except OSError as error:
        raise DataError(
            f"{table} cannot be read ({error.strerror}); it belongs to VisA as published and says "
            "which images are for training."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} is no CSV text ({error}); restore VisA's own file.") from error


def _parse(row: Mapping[str, str], category: str, where: str) -> VisaRow:
    if row["split"] not in _SPLITS or row["label"] not in _LABELS:
        raise DataError(
            f"{where}: split is '{row['split']}' and label '{row['label']}'; they must be "
            f"{' or '.join(_SPLITS)}, and {' or '.join(_LABELS)}."
        )
    is_defective = row["label"] == "anomaly"
    return VisaRow(
        split=cast(Literal["train", "test"], row["split"]),
        is_defective=is_defective,
        image=_inside(row["image"], category, where),
        mask=_inside(row["mask"], category, where) if is_defective and row["mask"] else None,
    )


def _inside(text: str, category: str, where: str) -> PurePosixPath:
    """Convert a path of the table from relative to the dataset to relative to the category."""
    path = PurePosixPath(text)
    if path.parts[:1] != (category,) or ".." in path.parts:
        raise DataError(f"{where}: the path '{text}' does not lie in the folder '{category}'.")
    return path.relative_to(category)
