"""The models a run had before: kept whenever another takes their place, and brought back on request."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rcae.base.errors import CheckpointError, StorageError, UsageError
from rcae.base.storage import write_atomically, write_text
from rcae.detector.run.checkpoint import Model, load_model, save_model
from rcae.detector.run.run_folder import RunFolder


@dataclass(frozen=True)
class Version:
    """A model that was in use until another took its place."""

    number: int
    """From 1, in the order in which they were kept."""
    until: str
    """When it was replaced, UTC."""
    replaced_by: str
    """What took its place, in words."""
    threshold: float
    promise: str


def replace_model(
    folder: RunFolder, model: Model, description: str, calibration_images: str | None
) -> int:
    """Keep the run's model as a version, then put `model` in its place in one step.

    Args:
        folder: of a finished run.
        model: the new one.
        description: of the new one, in words.
        calibration_images: the text of its `calibration.csv`, if it has one.

    Returns:
        The number under which the old one is kept.

    Raises:
        CheckpointError: the run's model is damaged.
        StorageError: the disk refused; the run's model is still in place, and not kept twice.
    """
    before = load_model(folder.model).header.calibration
    number = 1 + max((version.number for version in list_versions(folder)), default=0)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    version = Version(number, now, description, before.threshold, before.promise)
    write_atomically(_model_file(folder, number), _copying(folder.model))
    try:
        text = json.dumps(asdict(version), indent=2, ensure_ascii=False)
        write_text(_note_file(folder, number), text + "\n")
        if folder.calibration.exists():
            write_atomically(_images_file(folder, number), _copying(folder.calibration))
        save_model(folder.model, model)
    except StorageError:
        # The note first: without it the others are of no version.
        for file in (_note_file, _images_file, _model_file):
            file(folder, number).unlink(missing_ok=True)
        raise
    if calibration_images is None:
        folder.calibration.unlink(missing_ok=True)
    else:
        write_text(folder.calibration, calibration_images)
    record = folder.read_record()
    record["calibration"] = model.header.calibration.summary()
    folder.write_record(record)
    return number


def list_versions(folder: RunFolder) -> tuple[Version, ...]:
    """The kept models of a run, oldest first.

    Raises:
        CheckpointError: a note on one of them is damaged.
    """
    notes = folder.versions.glob("*.json") if folder.versions.is_dir() else ()
    return tuple(sorted(map(_read_note, notes), key=lambda version: version.number))


def restore(folder: RunFolder, number: int) -> int:
    """Bring a kept model back; the one it replaces is kept in turn.

    Returns:
        The number under which that one is kept.

    Raises:
        UsageError: there is no such version, or no finished run.
        CheckpointError, StorageError: as reading and writing models raise.
    """
    folder.require_finished()
    known = [version.number for version in list_versions(folder)]
    if number not in known:
        raise UsageError(
            f"{folder.path} has no version {number}; it has "
            + (", ".join(map(str, known)) if known else "none: its model was never replaced")
            + "."
        )
    model, images = load_model(_model_file(folder, number)), _images_file(folder, number)
    text = images.read_text("utf-8", "surrogateescape") if images.exists() else None
    return replace_model(folder, model, f"version {number} again", text)


def table(versions: Sequence[Version]) -> str:
    """For a terminal, oldest first."""
    if not versions:
        return "no earlier model: the one of this run was never replaced"
    rows = [
        f"{version.number:>7}  {version.until:25}  {version.threshold:>9.4g}  {version.replaced_by}"
        for version in versions
    ]
    return "\n".join([f"version  {'in use until':25}  threshold  then replaced by", *rows])


def _model_file(folder: RunFolder, number: int) -> Path:
    return folder.versions / f"{number:04d}.safetensors"


def _images_file(folder: RunFolder, number: int) -> Path:
    return folder.versions / f"{number:04d}-calibration.csv"


def _note_file(folder: RunFolder, number: int) -> Path:
    return folder.versions / f"{number:04d}.json"


def _copying(source: Path) -> Callable[[Path], object]:
    return lambda temporary: shutil.copyfile(source, temporary)


def _read_note(path: Path) -> Version:
    try:
        return Version(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path} is not a readable note on an earlier model ({error}); restore it from a copy, or "
            "remove it together with its .safetensors file."
        ) from error
