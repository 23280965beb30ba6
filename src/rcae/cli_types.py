"""What options of the command line may look like: paths, times, names, seeds."""

import re
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)


class Duration(click.ParamType[float]):
    """A time like 10m, 1h30m or 90s, in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds as a float; click names the option in the error."""
        match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", str(value))
        if not match or not any(match.groups()):
            self.fail(f"'{value}' is not a time; write 10m, 1h30m or 90s.", param, ctx)
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return 3600.0 * hours + 60.0 * minutes + seconds


class Names(click.ParamType[tuple[str, ...]]):
    """Names separated by commas."""

    name = "names"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The different names, in order; click names the option in the error."""
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
        """As numbers."""
        names = super().convert(value, param, ctx)
        if not all(name.isdecimal() for name in names):
            self.fail(f"'{value}' is not a list of seeds like 0,1,2.", param, ctx)
        return tuple(int(name) for name in names)
