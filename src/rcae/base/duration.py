"""Durations as people write them: 10m, 1h30m, 90s."""

import re

from rcae.base.errors import UsageError

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def seconds_of(duration: str | float) -> float:
    """Return the seconds of a duration.

    >>> seconds_of("1h30m")
    5400.0

    Args:
        duration: Text like "10m", "1h30m" or "0.2s", or a number of seconds.

    Raises:
        UsageError: the text is no duration.
    """
    if not isinstance(duration, str):
        return float(duration)
    match = _DURATION.fullmatch(duration)
    if not match or not any(match.groups()):
        raise UsageError(f"'{duration}' is not a time; write 10m, 1h30m or 90s.")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


def spelled(seconds: float) -> str:
    """Return a duration as `seconds_of` reads it, rounded up to about a twentieth.

    >>> spelled(95), spelled(571), spelled(5400)
    ('1m35s', '10m', '1h30m')
    """
    unit_s = next((unit for unit in (1, 5, 10, 30, 60, 300) if seconds < 20 * unit), 600)
    rounded = -(-max(1, round(seconds)) // unit_s) * unit_s
    parts = {"h": rounded // 3600, "m": rounded // 60 % 60, "s": rounded % 60}
    return "".join(f"{count}{unit}" for unit, count in parts.items() if count)


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds, with hours where there are some.

    >>> clock(75), clock(3675)
    ('01:15', '1:01:15')
    """
    whole = round(seconds)
    hours, minutes = whole // 3600, f"{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{hours}:{minutes}" if hours else minutes
