"""Conversion of inspections to rows of the record's tables and back, and of queries to SQL."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from rcae.detector.detection import Region
from rcae.line.record.inspection import Inspection, Query, Review, ReviewState
from rcae.line.record.tables import inspections, reviews

_NOT_STORED = {"number", "reviews"}


def row_of(inspection: Inspection) -> dict[str, Any]:
    """Return the values of the inspection's row; the database assigns the number."""
    values = {key: value for key, value in vars(inspection).items() if key not in _NOT_STORED}
    return {**values, "regions": [asdict(region) for region in inspection.regions]}


def read(
    connection: Connection, *where: ColumnElement[bool], limit: int, newest_first: bool = False
) -> list[Inspection]:
    """Read at most `limit` inspections, by number, with their reviews."""
    number = inspections.c.number
    chosen = select(inspections).where(*where).limit(limit)
    rows = connection.execute(chosen.order_by(number.desc() if newest_first else number)).all()
    said = _reviews(connection, [row.number for row in rows])
    return [_inspection_of(row, said[row.number]) for row in rows]


def conditions(query: Query) -> list[ColumnElement[bool]]:
    """Return the SQL conditions of a query; a row must meet all of them."""
    columns = inspections.c
    found: list[ColumnElement[bool]] = [
        columns[name] == value
        for name in ("model", "model_sha256", "is_defective")
        if (value := getattr(query, name)) is not None
    ]
    if query.reviewed is not None:
        is_not = query.reviewed is ReviewState.NOT
        verdict = None if is_not else query.reviewed.value
        found.append(columns.verdict.is_(None) if is_not else columns.verdict == verdict)
    if query.since is not None:
        found.append(columns.time >= query.since)
    if query.until is not None:
        found.append(columns.time < query.until)
    if query.source_contains:
        # SQL's LIKE is case-sensitive in PostgreSQL and not in SQLite.
        found.append(func.replace(columns.source, query.source_contains, "") != columns.source)
    if query.borderline is not None:
        difference = func.abs(columns.anomaly_score - columns.threshold)
        found.append(difference <= query.borderline * func.abs(columns.threshold))
    if query.number_below is not None:
        found.append(columns.number < query.number_below)
    if query.number_above is not None:
        found.append(columns.number > query.number_above)
    return found


def _reviews(connection: Connection, numbers: Sequence[int]) -> dict[int, list[Review]]:
    """Return the reviews of these inspections, oldest first."""
    said = defaultdict(list)
    asked = select(reviews).where(reviews.c.inspection.in_(numbers)).order_by(reviews.c.number)
    for row in connection.execute(asked):
        said[row.inspection].append(Review(row.verdict, row.author, row.note, row.time))
    return said


def _inspection_of(row: Row[Any], said: Iterable[Review]) -> Inspection:
    """Return the inspection of a row: the inverse of `row_of`."""
    values = dict(row._mapping)
    del values["verdict"]
    values["regions"] = tuple(Region(**region) for region in values["regions"])
    return Inspection(**values, reviews=tuple(said))
