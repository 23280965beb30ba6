"""Report of a period as one self-contained HTML file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np

from rcae.base.errors import ImageError
from rcae.base.progress import shown
from rcae.base.storage import write_bytes
from rcae.data.image_files import ImageContent
from rcae.data.images import read_image, resize
from rcae.drawing.charts import days_chart, score_histogram
from rcae.drawing.page import Picture, page
from rcae.drawing.pictures import REGION_COLOUR, outlined, to_image
from rcae.evaluation.metrics.intervals import Interval, proportion_interval
from rcae.line.history.summary import Counts, ModelSummary, summarise
from rcae.line.record.changes import Change
from rcae.line.record.inspection import AppliedThreshold, Inspection, Query
from rcae.line.record.kept_images import KeptImageError, KeptImages
from rcae.line.record.record import Record

DAY = "%Y-%m-%d"
MOMENT = "%Y-%m-%d %H:%M"
MOST_THRESHOLDS = 4
"""Largest number of earlier thresholds in the chart; the table has all."""


@dataclass(frozen=True)
class ModelSection:
    """Section of the report for one model."""

    summary: ModelSummary
    days: list[tuple[str, Counts]]
    charts: list[tuple[bytes, str]]
    """PNG files, each with an alternative text."""
    thresholds: list[tuple[str, str, str]]
    """Start of use, value, and author of each threshold."""
    changes: list[tuple[str, str, str, str]]
    """Time, description, author and reason of each change in the period, also if it decided nothing."""
    pictures: list[Picture]
    not_kept: int
    """Number of images to show whose picture is gone or damaged."""


def write_history(path: Path, record: Record, kept_images: KeptImages, query: Query) -> int:
    """Write the report of all matching inspections atomically and return their number.

    Raises:
        StorageError: the record cannot be read, or the disk refused; an older file is intact.
    """
    inspections = shown(record.each(query), "adding up", record.count(query))
    summaries = summarise(inspections)
    sections = [
        _section(
            summary,
            record.applied_thresholds(summary.model.sha256),
            [one for one in record.changes.of(*summary.model) if _is_within(one.time, query)],
            kept_images,
        )
        for summary in shown(summaries, "drawing")
    ]
    html = page(
        "history.html.jinja",
        title=_title(summaries),
        created=datetime.now(UTC).strftime(f"{MOMENT} UTC"),
        time_zone=_time_zone(summaries),
        filters=_filters(query),
        sections=sections,
        interval=_interval,
        region_colour=REGION_COLOUR,
    )
    write_bytes(path, html)
    return sum(summary.total.images for summary in summaries)


def _interval(counts: Counts) -> Interval:
    """Return the confidence interval of the rejected share."""
    interval = proportion_interval(counts.rejected, counts.images)
    assert interval is not None, "there is an interval where there are images"
    return interval


def _title(summaries: list[ModelSummary]) -> str:
    days = sorted({day for summary in summaries for day in summary.days})
    if not days:
        return "No inspections"
    first, last = (day.strftime(DAY) for day in (days[0], days[-1]))
    return f"Inspections of {first}" if first == last else f"Inspections from {first} to {last}"


def _time_zone(summaries: list[ModelSummary]) -> str:
    """Return the names of the local time zone on the days shown; winter and summer may differ."""
    days = sorted({day for summary in summaries for day in summary.days})
    moments = [datetime.combine(day, at) for day in days for at in (time.min, time.max)]
    return " and ".join(dict.fromkeys(str(one.astimezone().tzname()) for one in moments))


def _filters(query: Query) -> str:
    """Describe the filters that the title does not show; the text is empty without filters."""
    said = {
        "model": query.model,
        "found": {None: None, True: "defective", False: "good"}[query.is_defective],
        "reviewed": query.reviewed,
        "since": query.since and query.since.astimezone().strftime(MOMENT),
        "before": query.until and query.until.astimezone().strftime(MOMENT),
        "name with": query.source_contains,
        "borderline": query.borderline,
    }
    return ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)


def _is_within(moment: datetime, query: Query) -> bool:
    since, until = query.since or moment, query.until
    return since <= moment and (until is None or moment < until)


def _section(
    summary: ModelSummary,
    applied: list[AppliedThreshold],
    changes: list[Change],
    kept_images: KeptImages,
) -> ModelSection:
    pictures = list(_pictures(summary.worst, kept_images))
    return ModelSection(
        summary=summary,
        days=[(day.strftime(DAY), counts) for day, counts in sorted(summary.days.items())],
        charts=_charts(summary),
        thresholds=_thresholds(summary, applied),
        changes=[(_local(one.time), one.description, one.author, one.reason) for one in changes],
        pictures=pictures,
        not_kept=len(summary.worst) - len(pictures),
    )


def _charts(summary: ModelSummary) -> list[tuple[bytes, str]]:
    total, name = summary.total, summary.model.name
    days = sorted(summary.days)
    counts = [summary.days[day] for day in days]
    by_day = days_chart(
        days,
        [one.images for one in counts],
        [one.rejected / one.images for one in counts],
        [_interval(one) for one in counts],
    )
    earlier = [one for one in summary.thresholds if one != summary.threshold]
    scores = score_histogram(
        np.array(summary.accepted_scores),
        np.array(summary.rejected_scores),
        summary.threshold,
        title="Scores",
        names=("accepted", "rejected"),
        earlier_thresholds=earlier[-MOST_THRESHOLDS:],
    )
    return [
        (by_day, f"Images a day and share rejected of {name}; the numbers are in the table below."),
        (
            scores,
            f"Histogram of the scores of {total.accepted} accepted and {total.rejected} rejected "
            f"images of {name}, with the threshold {summary.threshold:.4g}.",
        ),
    ]


def _thresholds(
    summary: ModelSummary, applied: list[AppliedThreshold]
) -> list[tuple[str, str, str]]:
    """List the thresholds that decided, each with its author.

    The author is the last person who applied the threshold before its first decision, or calibration.
    """
    rows = []
    for threshold, since in summary.thresholds.items():
        authors = [one for one in applied if one.threshold == threshold and one.time <= since]
        by = f"{authors[-1].author}, {_local(authors[-1].time)}" if authors else "calibration"
        rows.append((_local(since), f"{threshold:.6g}", by))
    return rows


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime(MOMENT)


def _pictures(inspections: list[Inspection], kept_images: KeptImages) -> Iterator[Picture]:
    """Yield the kept pictures, with the regions that reach the threshold outlined."""
    for one in inspections:
        try:
            content, drawn = kept_images.image(one.id), kept_images.working_map(one.id)
            if content is None or drawn is None:
                continue
            picture = to_image(read_image(ImageContent(one.source, content)))
        except (ImageError, KeptImageError):
            continue  # a damaged picture counts as not kept
        reached = resize(drawn, picture.height, picture.width).astype(np.float64) >= one.threshold
        said = f", said to be {_said(one)}" if one.reviews else ""
        caption = f"{one.source}: score {one.anomaly_score:.4g}, {_local(one.time)}{said}"
        yield Picture(outlined(picture, reached), caption)


def _said(inspection: Inspection) -> str:
    last = inspection.reviews[-1]
    return f"{'good' if last.verdict == 'good' else 'defective'} by {last.author}"
