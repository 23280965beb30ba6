"""Text that can be printed and stored anywhere: file names, and tables as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any


def printable(name: object) -> str:
    """Return `name` without control characters and without undecodable bytes of file names."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(name)
    )


def csv_text(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return CSV with a header and rows.

    Numbers keep full precision. Lines end in a bare newline on every system.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
