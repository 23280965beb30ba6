"""Types of command-line options: paths, times, names, seeds."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)
"""Output folder; a file is refused before any work starts."""


require_signature = click.option(
    "--require-signature",
    "public_key",
    type=PATH,
    metavar="PUBKEY",
    help="Public key (PEM) that must have signed the model.",
)


threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="CPU threads of the model; the default is one per core.",
)


class Duration(click.ParamType[float]):
    """A duration like 10m, 1h30m, 90s or 0.2s, in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds as a float; click names the option in an error."""
        match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", str(value))
        if not match or not any(match.groups()):
            self.fail(f"'{value}' is not a time; write 10m, 1h30m or 90s.", param, ctx)
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        return 3600 * hours + 60 * minutes + seconds


class TimeOption(click.ParamType[datetime]):
    """A date or a time like 2026-11-25 or 2026-11-25T14:30; the default time zone is the local one."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time with a time zone; click names the option in an error."""
        try:
            return _with_time_zone(datetime.fromisoformat(str(value)))
        except (ValueError, OverflowError):
            self.fail(f"'{value}' is not a time; write 2026-11-25 or 2026-11-25T14:30.", param, ctx)


class Month(click.ParamType[tuple[datetime, datetime]]):
    """A month like 2026-11: its first moment and that of the next month, in the local time zone."""

    name = "month"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[datetime, datetime]:
        """Return both moments with a time zone; click names the option in an error."""
        try:
            first = datetime.strptime(str(value), "%Y-%m")
            following = (first + timedelta(days=31)).replace(day=1)
            return _with_time_zone(first), _with_time_zone(following)
        except (ValueError, OverflowError):
            self.fail(f"'{value}' is not a month; write 2026-11.", param, ctx)


class Names(click.ParamType[tuple[str, ...]]):
    """Names separated by commas."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the different names, in order; click names the option in an error."""
        names = tuple(part.strip() for part in str(value).split(","))
        if not all(names) or len(set(names)) < len(names):
            self.fail(f"'{value}' is not a list of different names like a,b,c.", param, ctx)
        return names


class Seeds(Names):
    """Seeds separated by commas."""

    name = "seeds"

    def convert(  # type: ignore[override]
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the seeds as numbers."""
        names = super().convert(value, param, ctx)
        if not all(name.isdecimal() for name in names):
            self.fail(f"'{value}' is not a list of seeds like 0,1,2.", param, ctx)
        return tuple(int(name) for name in names)


def _with_time_zone(moment: datetime) -> datetime:
    """Convert to UTC; a time without a time zone is local."""
    return moment.astimezone(UTC)


def as_text(value: dict[str, Any]) -> str:
    """Format a JSON object for a person."""
    return json.dumps(value, indent=2, ensure_ascii=False)
