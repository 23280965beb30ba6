"""`rcae history`: recorded inspections as a table, a file or a report."""

import functools
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rcae.base.errors import UsageError
from rcae.cli.options import PATH, Month, TimeOption
from rcae.cli.record_options import store_option
from rcae.line.record.opening import kept_images, open_existing_record

if TYPE_CHECKING:
    from rcae.line.record.inspection import Inspection, Query
    from rcae.line.record.record import Record

LINES = 50
"""Number of lines on a terminal without --limit."""


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose inspections; the command gets them as `query`."""

    @click.option("--model", metavar="NAME", help="Name of the model.")
    @click.option("--defective/--good", "is_defective", default=None, help="Decision of the model.")
    @click.option(
        "--reviewed",
        type=click.Choice(["good", "defect", "not"]),
        help="Verdict of the last review; not: no review.",
    )
    @click.option("--since", type=TimeOption(), help="Earliest time.")
    @click.option("--until", type=TimeOption(), help="End of the period, exclusive.")
    @click.option("--month", type=Month(), help="Month, like 2026-11.")
    @click.option(
        "--borderline",
        type=click.FloatRange(min=0),
        metavar="SHARE",
        help="Largest distance of the score from its threshold: 0.1 is within 10 %.",
    )
    @click.option("--source", metavar="TEXT", help="Part of the image's name.")
    @functools.wraps(command)
    def filtered(
        *,
        model: str | None,
        is_defective: bool | None,
        reviewed: str | None,
        since: datetime | None,
        until: datetime | None,
        month: tuple[datetime, datetime] | None,
        borderline: float | None,
        source: str | None,
        **others: object,
    ) -> None:
        from rcae.line.record.inspection import Query, ReviewState

        if month is not None:
            if since is not None or until is not None:
                raise click.UsageError("--month goes without --since and --until")
            since, until = month
        query = Query(
            model=model,
            is_defective=is_defective,
            reviewed=None if reviewed is None else ReviewState(reviewed),
            since=since,
            until=until,
            borderline=borderline,
            source_contains=source,
        )
        command(query=query, **others)

    return filtered


@click.command()
@store_option
@_filters
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help=f"Number of the newest inspections; the default is {LINES} lines.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per line, oldest first."
)
@click.option("-o", "--output", type=PATH, help="File: .csv, .parquet, or .html for a report.")
def history(
    store: str, query: "Query", limit: int | None, as_json: bool, output: Path | None
) -> None:
    """Print recorded inspections, newest first, or write all of them to a file.

    \b
      rcae history --defective --reviewed not
      rcae history --since 2026-11-25 --source line-3 --json
      rcae history --month 2026-11 -o november.parquet
      rcae history --month 2026-11 -o november.html     a report
    """
    if limit is not None and (as_json or output is not None):
        raise click.UsageError("--limit is for lines; --json and -o give all that match")
    with closing(open_existing_record(store, purpose="the history")) as record:
        if output is not None:
            _write(output, record, query, store)
        elif as_json:
            from rcae.line.outputs.output import message

            for inspection in record.each(query):
                click.echo(message(inspection).decode())
        else:
            _print(record, query, limit or LINES)


def _print(record: "Record", query: "Query", limit: int) -> None:
    from rcae.line.history.table import lines

    for line in lines(islice(record.each(query, newest_first=True), limit)):
        click.echo(line)
    count = record.count(query)
    if count > limit:
        click.echo(f"the newest {limit} of {count}; --limit {count} prints all", err=True)


def _write(output: Path, record: "Record", query: "Query", store: str) -> None:
    from rcae.line.history.export import WRITERS
    from rcae.line.history.report import write_history

    suffix = output.suffix.lower()
    if suffix == ".html":
        count = write_history(output, record, kept_images(store), query)
    elif suffix in WRITERS:
        count = WRITERS[suffix](output, _shown(record, query))
    else:
        raise UsageError(f"{output} is not named .csv, .parquet or .html; name the file so.")
    click.echo(f"{count} inspections: {output}")


def _shown(record: "Record", query: "Query") -> "Iterator[Inspection]":
    from rcae.base.progress import shown

    return shown(record.each(query), "exporting", record.count(query))
