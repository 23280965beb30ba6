"""Earlier models of a run: each is kept when another replaces it, and is restored on request."""

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
    """A model that was in use until another replaced it."""

    number: int
    """Number of the version, counted from 1 in the order of replacement."""
    until: str
    """Time of the replacement, in UTC."""
    replaced_by: str
    """Description of the model that replaced it."""
    threshold: float
    promise: str


def replace_model(
    folder: RunFolder, model: Model, description: str, calibration_images: str | None
) -> int:
    """Keep the run's model as a version, then put `model` in its place in one step.

    Args:
        folder: Folder of a finished run.
        model: New model.
        description: Description of the new model.
        calibration_images: Text of the new model's `calibration.csv`; None without one.

    Returns:
        The version number of the old model.

    Raises:
        CheckpointError: the run's model is damaged.
        StorageError: the disk refused a file; the run's model is still in place, and not kept twice.
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
        # The note is removed first: the other files belong to no version without it.
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
    """Return the kept models of a run, oldest first.

    Raises:
        CheckpointError: the note of a version is damaged.
    """
    notes = folder.versions.glob("*.json") if folder.versions.is_dir() else ()
    return tuple(sorted(map(_read_note, notes), key=lambda version: version.number))


def restore(folder: RunFolder, number: int) -> int:
    """Restore a kept model; the model that it replaces is kept as a new version.

    Returns:
        The number of the new version.

    Raises:
        UsageError: there is no such version, or no finished run.
        CheckpointError, StorageError: the errors of reading and writing models.
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
    """Format the versions for a terminal, in the given order."""
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
