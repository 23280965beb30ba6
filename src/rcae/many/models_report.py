"""Table and page of many models: models.csv and models.html."""

from collections.abc import Sequence
from pathlib import Path

from rcae.base.storage import write_bytes, write_text
from rcae.base.text import csv_text
from rcae.drawing.page import page
from rcae.many.job import Outcome


def write_report(output: Path, outcomes: Sequence[Outcome]) -> Path:
    """Write the table and the page, failed models first; return the path of the page.

    Raises:
        StorageError: the disk refused; older files are intact.
    """
    rows = [one.model_dump().values() for one in outcomes]
    write_text(output / "models.csv", csv_text(list(Outcome.model_fields), rows))
    in_order = sorted(outcomes, key=lambda one: one.state != "failed")
    links = [_report_of(output, one) for one in in_order]
    write_bytes(
        output / "models.html",
        page("models.html.jinja", outcomes=list(zip(in_order, links, strict=True))),
    )
    return output / "models.html"


def _report_of(output: Path, outcome: Outcome) -> str | None:
    """Return the link to a model's evaluation, if it has one."""
    report = Path(outcome.run) / "evaluation" / "report.html"
    return report.relative_to(output).as_posix() if report.exists() else None
