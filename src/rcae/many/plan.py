"""Plan of a large inspection: a list of images, cut into parts that machines inspect in any order."""

import hashlib
import json
import os
import shutil
import tempfile
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Self

from rcae.base.errors import DataError, UsageError
from rcae.base.progress import say, shown
from rcae.base.storage import refused, write_atomically, write_text
from rcae.data.remote import Location, is_url
from rcae.detector.detector import Detector
from rcae.many.inputs import absolute, locations

IMAGES_STEP = 10
"""Number of images in the smallest part; larger parts hold a multiple."""
MOST_IMAGES_PER_PART = 1000
FEWEST_PARTS = 250
"""Number of parts from which parts grow: enough to keep many machines busy until the end (our choice)."""


@dataclass(frozen=True)
class Division:
    """A list of images and its parts: each part is a fixed slice of the list."""

    image_count: int
    images_per_part: int
    images_sha256: str
    """SHA-256 of the list."""
    offsets: tuple[int, ...]
    """Position of the first image of each part in the list, in bytes."""


@dataclass(frozen=True)
class Model:
    """Facts that determine the answers of a model."""

    weights_sha256: str
    threshold: float

    @classmethod
    def of(cls, detector: Detector) -> Self:
        """Return the facts of a loaded model."""
        return cls(detector.runner.weights_sha256, detector.calibration.threshold)


@dataclass(frozen=True)
class Plan:
    """A plan as its folder holds it: `plan.json`, and `images.jsonl` with a name on each line."""

    output: Path
    """Folder of the results."""
    inputs: tuple[str, ...]
    """Texts that named the images."""
    model: Model
    division: Division

    @property
    def part_count(self) -> int:
        """Number of parts."""
        return len(self.division.offsets)

    @cached_property
    def identity(self) -> str:
        """SHA-256 that parts of the same plan share."""
        facts = [self.division.images_sha256, self.division.images_per_part, asdict(self.model)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def first_number(self, part: int) -> int:
        """Return the number of a part's first image, counted from 1 over the whole list."""
        return part * self.division.images_per_part + 1

    def locations(self, part: int) -> list[Location]:
        """Read the images of a part.

        Raises:
            DataError: the list was changed.
        """
        file = _list_of(self.output)
        try:
            with file.open("rb") as lines:
                lines.seek(self.division.offsets[part])
                texts = [json.loads(line) for line in islice(lines, self.size(part))]
        except (OSError, ValueError) as error:
            raise _damaged(file, error) from error
        if len(texts) != self.size(part):
            raise _damaged(file, "lines are missing")
        return [text if is_url(text) else Path(text) for text in texts]

    def size(self, part: int) -> int:
        """Return the number of images in a part."""
        left = self.division.image_count - part * self.division.images_per_part
        return min(left, self.division.images_per_part)


def open_plan(output: Path, inputs: Sequence[str], model: Model) -> Plan:
    """Return the plan in the folder of the results, made first if there is none.

    An existing plan is kept as it is: images that came later are not in it. Machines that plan at the same
    time get the plan of the first one.

    Raises:
        UsageError: the folder holds a plan of other inputs or of another model; no image is named.
        DataError, MissingExtraError, StorageError: see `rcae.many.inputs.locations`.
    """
    wanted = tuple(absolute(text if is_url(text) else Path(text)) for text in inputs)
    if not _plan_of(output).exists():
        _make(output, wanted, model)
    plan = read_plan(output)
    for title, was, now in (("inputs", plan.inputs, wanted), ("model", plan.model, model)):
        if was != now:
            raise UsageError(
                f"{output} was begun with other {title} ({was}, now {now}); give the same, or choose "
                "another -o folder."
            )
    return plan


def read_plan(output: Path) -> Plan:
    """Read the plan in the folder of the results.

    Raises:
        UsageError: there is none.
        DataError: the file was changed, or another version of rcae wrote it.
    """
    file = _plan_of(output)
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
        division = plain["division"]
        return Plan(
            output=output,
            inputs=tuple(plain["inputs"]),
            model=Model(**plain["model"]),
            division=Division(**{**division, "offsets": tuple(division["offsets"])}),
        )
    except FileNotFoundError as error:
        raise UsageError(
            f"{file} does not exist; give the -o folder of 'rcae predict --shard' or '--ray'."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(file, error) from error


def divide(images: Iterable[Location], file: Path) -> Division:
    """Write the list of images, one JSON string on each line, and cut it into parts."""
    sha256 = hashlib.sha256()
    positions = array("Q")
    count = position = 0
    with file.open("wb") as lines:
        for count, image in enumerate(images, start=1):
            if count % IMAGES_STEP == 1:
                positions.append(position)
            line = json.dumps(absolute(image)).encode() + b"\n"
            lines.write(line)
            sha256.update(line)
            position += len(line)
    steps = -(-len(positions) // FEWEST_PARTS)
    images_per_part = min(max(steps, 1) * IMAGES_STEP, MOST_IMAGES_PER_PART)
    offsets = tuple(positions[:: images_per_part // IMAGES_STEP])
    return Division(count, images_per_part, sha256.hexdigest(), offsets)


def _make(output: Path, inputs: tuple[str, ...], model: Model) -> None:
    """Make the folder of the plan; it appears complete, unless another machine was faster."""
    temporary = None
    try:
        output.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".plan-", dir=output))
        divisions: list[Division] = []
        images = shown(locations(inputs), "listing images")
        write_atomically(
            temporary / _list_of(output).name,
            lambda file: divisions.append(divide(images, file)),
        )
        plain = {"inputs": inputs, "model": asdict(model), "division": asdict(divisions[0])}
        write_text(temporary / _plan_of(output).name, json.dumps(plain) + "\n")
        temporary.chmod(0o755)
        os.rename(temporary, _plan_of(output).parent)  # noqa: PTH104  refuses a folder that is there
    except OSError as error:
        if not _plan_of(output).exists():
            raise refused(_plan_of(output).parent, error) from error
        say(f"{output} has a plan by now, which another process made.")
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _plan_of(output: Path) -> Path:
    return output / "plan" / "plan.json"


def _list_of(output: Path) -> Path:
    return output / "plan" / "images.jsonl"


def _damaged(file: Path, reason: object) -> DataError:
    return DataError(
        f"{file} is damaged or of another version of rcae ({reason}); choose another -o folder."
    )
