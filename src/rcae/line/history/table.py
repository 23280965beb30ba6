"""Recorded inspections as lines for a terminal."""

from collections.abc import Iterable, Iterator

from rcae.base.text import printable
from rcae.line.record.inspection import Inspection

HEADER = (
    f"{'number':>8}  {'time':19}  {'model':16}  {'score':>9}  {'threshold':>9}  "
    "found      said    source"
)


def lines(inspections: Iterable[Inspection]) -> Iterator[str]:
    """Yield a header and one line per inspection, with times in the local time zone."""
    yield HEADER
    for one in inspections:
        time = one.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        found = "defective" if one.is_defective else "good"
        said = one.reviews[-1].verdict if one.reviews else "-"
        yield (
            f"{one.number:8}  {time}  {printable(one.model):16}  {one.anomaly_score:9.4g}  "
            f"{one.threshold:9.4g}  {found:9}  {said:6}  {printable(one.source)}"
        )
