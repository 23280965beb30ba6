"""Parts of a card, and the text of numbers in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rcae.drawing.page import number, percent
from rcae.evaluation.card.past_evaluation import Share
from rcae.evaluation.metrics.intervals import Interval

NONE = "\N{EN DASH}"
"""Text in place of a missing number."""


@dataclass(frozen=True)
class Table:
    """Rows of text under their headings."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """One part of the card: paragraphs, facts, tables and points, in this order; each may be empty."""

    title: str
    text: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    points: tuple[str, ...] = ()


def share_text(share: Share) -> str:
    """Write the count, the total, and the share in percent."""
    if not share.total:
        return "no such test images"
    return f"{share.count} of {share.total}, {percent(share.count / share.total)}"


def value_text(value: float | None) -> str:
    """Write a metric in 0..1."""
    return NONE if value is None else number(value)


def interval_text(interval: Interval | None, written: Callable[[float], str]) -> str:
    """Write both ends of an interval, each by `written`."""
    return NONE if interval is None else f"{written(interval.low)} to {written(interval.high)}"
