"""Types of command-line options: paths, times, names, seeds."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rcae.base.duration import seconds_of
from rcae.base.errors import UsageError

if TYPE_CHECKING:
    from rcae.data.layouts.source import DataSource
    from rcae.detector.detector import Detector

PATH = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)
"""Output folder; a file is refused before any work starts."""


@dataclass(frozen=True)
class Loading:
    """Options by which a command loads its model."""

    threads: int | None
    size_limit: float
    public_key: Path | None

    @property
    def options(self) -> dict[str, Any]:
        """The options by their names in `Detector.load`."""
        return {
            "threads": self.threads,
            "size_limit": self.size_limit,
            "require_signature": self.public_key,
        }

    def detector(self, run: Path) -> "Detector":
        """Load a detector; the errors are those of `Detector.load`."""
        from rcae.detector.detector import Detector

        return Detector.load(run, **self.options)


def loading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command that loads a model; the command gets `loading`, a `Loading`."""

    @click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="CPU threads of the model; the default is one per core.",
    )
    @click.option(
        "--size-limit",
        type=click.FloatRange(min=1),
        default=1.5,  # rcae.data.usual_image.SIZE_LIMIT, which is not imported for the help alone
        show_default=True,
        metavar="FACTOR",
        help="Refuse images whose sides or aspect ratio differ by more from those of training.",
    )
    @click.option(
        "--require-signature",
        "public_key",
        type=PATH,
        metavar="PUBKEY",
        help="Public key (PEM) that must have signed the model.",
    )
    @functools.wraps(command)
    def with_loading(
        *arguments: Any,
        threads: int | None,
        size_limit: float,
        public_key: Path | None,
        **options: Any,
    ) -> None:
        command(*arguments, loading=Loading(threads, size_limit, public_key), **options)

    return with_loading


def data_argument(command: Callable[..., None]) -> Callable[..., None]:
    """Add DATA and the options that name its folders; the command gets `data`, a `DataSource`."""

    @click.argument("root", type=PATH, metavar="DATA")
    @click.option(
        "--good",
        multiple=True,
        metavar="DIR",
        help="Folder of good images: below DATA, or any path. This and the next three can be repeated.",
    )
    @click.option(
        "--test-good", multiple=True, metavar="DIR", help="Folder of good images of the test."
    )
    @click.option(
        "--defective",
        multiple=True,
        metavar="DIR",
        help="Folder of defective images; its name is the defect type.",
    )
    @click.option(
        "--masks",
        multiple=True,
        metavar="DIR",
        help="Folder of masks or annotations, or a COCO file.",
    )
    @functools.wraps(command)
    def with_source(
        *arguments: Any,
        root: Path,
        good: tuple[str, ...],
        test_good: tuple[str, ...],
        defective: tuple[str, ...],
        masks: tuple[str, ...],
        **options: Any,
    ) -> None:
        from rcae.data.layouts.source import DataSource, Folders

        folders = Folders(good, test_good, defective, masks)
        command(*arguments, data=DataSource(root, folders), **options)

    return with_source


def masks_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that tell how masks are read; the command has `data` of `data_argument`."""

    @click.option("--masks-inverted", is_flag=True, help="Masks are white where the part is good.")
    @click.option(
        "--masks-unturned", is_flag=True, help="Masks lie as images before EXIF turns them."
    )
    @functools.wraps(command)
    def with_masks(
        *arguments: Any,
        data: "DataSource",
        masks_inverted: bool,
        masks_unturned: bool,
        **options: Any,
    ) -> None:
        source = replace(data, masks_inverted=masks_inverted, masks_unturned=masks_unturned)
        command(*arguments, data=source, **options)

    return with_masks


class Duration(click.ParamType[float]):
    """A duration like 10m, 1h30m, 90s or 0.2s, in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds as a float; click names the option in an error."""
        try:
            return seconds_of(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


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
