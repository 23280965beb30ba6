"""Journal of feedback on inspected images: append-only, in the run folder, images included."""

import errno
import getpass
import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from filelock import FileLock
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from rcae.base.errors import CheckpointError, DataError, StorageError, UsageError
from rcae.base.storage import write_atomically
from rcae.base.text import printable
from rcae.data.good_images import hash_file
from rcae.data.image_files import IMAGE_SUFFIXES
from rcae.data.images import image_size, read_mask
from rcae.detector.detection import Detection
from rcae.detector.run.run_folder import RunFolder
from rcae.line.record.inspection import Inspection, Verdict

_SHA256 = r"^[0-9a-f]{64}$"
_FILE_NAME = r"^[0-9a-f]{64}(\.[a-z]{1,4})?$"
_START = "0" * 64
"""Hash before the first entry, in place of the hash of a previous line."""


class Feedback(BaseModel):
    """One line of the journal: the verdict of a person on one image, and the score of the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: AwareDatetime
    """Time of the verdict, in UTC."""
    author: str
    verdict: Verdict
    note: str
    image: str
    """Path of the image at the time of the verdict."""
    image_file: str = Field(pattern=_FILE_NAME)
    """Copy in the run folder, named by the SHA-256 of its content."""
    mask_file: str | None = Field(default=None, pattern=_FILE_NAME)
    """Copy of the mask that shows the defect, named in the same way; None without a mask."""
    anomaly_score: float
    """Score of the model at the time of the verdict."""
    threshold: float
    previous: str = Field(pattern=_SHA256)
    """SHA-256 of the line before.

    Only the last line can be changed or removed without detection.
    """

    @property
    def sha256(self) -> str:
        """SHA-256 of the image file."""
        return self.image_file.partition(".")[0]


@dataclass(frozen=True)
class ReviewedImage:
    """An image with its last verdict."""

    feedback: Feedback
    image: Path
    """Copy in the run folder."""
    mask: Path | None


def add_feedback(
    folder: RunFolder,
    image: Path,
    verdict: Verdict,
    found: Detection | Inspection,
    *,
    mask: Path | None = None,
    note: str = "",
    author: str | None = None,
    name: str | None = None,
    said_at: datetime | None = None,
) -> Feedback:
    """Append a person's verdict on an image to the journal, and keep a copy of the image.

    Args:
        folder: folder of a finished run.
        image: the file that was inspected.
        verdict: the person's verdict.
        found: the model's decision on the image.
        mask: mask of the defect, in the format of test masks; optional.
        note: free text of the person.
        author: name of the person; the default is the name of the current user.
        name: name of the image in the journal; the default is its path.
        said_at: time of the verdict, with a time zone; the default is now.

    Raises:
        UsageError: a mask is given for a good image, or no author is given and this user has no name.
        ImageError, DataError: the image or mask is unreadable, or the mask does not fit.
        CheckpointError: the journal is damaged; nothing is added.
        StorageError: the disk refused; the journal is unchanged.
    """
    _require_mask_fits(image, verdict, mask)
    author = printable(author or _user())
    image_file = _keep(folder, image)
    mask_file = None if mask is None else _keep(folder, mask)
    try:
        with FileLock(folder.feedback.with_suffix(".lock")):
            entry = Feedback(
                time=(said_at or datetime.now(UTC)).astimezone(UTC),
                author=author,
                verdict=verdict,
                note=printable(note),
                image=printable(name or image.absolute()),
                image_file=image_file,
                mask_file=mask_file,
                anomaly_score=found.anomaly_score,
                threshold=found.threshold,
                previous=_read(folder)[1],
            )
            _append(folder.feedback, entry.model_dump_json().encode() + b"\n")
    except OSError as error:
        raise StorageError(
            f"{folder.feedback} could not be written ({error.strerror or error}); what was said before "
            "is kept. Free space, then say it again."
        ) from error
    return entry


def read_feedback(folder: RunFolder) -> tuple[Feedback, ...]:
    """Read all entries of the journal, in order.

    Raises:
        CheckpointError: a line is damaged, changed or missing; the message gives its number.
    """
    return _read(folder)[0]


def reviewed_images(folder: RunFolder) -> tuple[ReviewedImage, ...]:
    """Return every image of the journal with its last verdict, in the order of first mention.

    Raises:
        CheckpointError: the journal is damaged, or the copy of an image is missing or changed.
    """
    last = {entry.sha256: entry for entry in read_feedback(folder)}
    return tuple(
        ReviewedImage(
            entry,
            _kept(folder, entry.image_file),
            None if entry.mask_file is None else _kept(folder, entry.mask_file),
        )
        for entry in last.values()
    )


def table(entries: Iterable[Feedback]) -> str:
    """Format the entries as a table for a terminal, in order."""
    rows = [
        f"{entry.time:%Y-%m-%d %H:%M:%S}  {entry.verdict:6}  {entry.anomaly_score:>9.4g}  "
        f"{entry.threshold:>9.4g}  {entry.author:12}  {entry.image}"
        + (f"  ({entry.note})" if entry.note else "")
        for entry in entries
    ]
    header = f"{'time (UTC)':19}  said    {'score':>9}  {'threshold':>9}  {'author':12}  image"
    return "\n".join([header, *rows]) if rows else "nothing was said yet"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # OSError from Python 3.13 on
        raise UsageError(
            f"the user who runs this has no name ({error}), and who said so is written down; give a name "
            "with --author."
        ) from error


def _require_mask_fits(image: Path, verdict: Verdict, mask: Path | None) -> None:
    height, width = image_size(image)
    if mask is None:
        return
    if verdict == "good":
        raise UsageError(f"{mask} is a mask, but {image} is said to be good; leave the mask out.")
    marked = read_mask(mask)
    if marked.shape != (height, width) or not np.any(marked):
        raise DataError(
            f"{mask} marks {int(marked.sum())} of {marked.shape[1]}x{marked.shape[0]} px, its image is "
            f"{width}x{height} px; a mask has the size of its image and marks the defect in white."
        )


def _keep(folder: RunFolder, file: Path) -> str:
    """Copy a file into the run folder under the hash of its content and return the name of the copy."""
    suffix = file.suffix.lower()
    name = hash_file(file) + (suffix if suffix in IMAGE_SUFFIXES else "")
    target = folder.feedback_files / name
    if not target.exists():
        write_atomically(target, lambda temporary: shutil.copyfile(file, temporary))
    return name


def _kept(folder: RunFolder, name: str) -> Path:
    path = folder.feedback_files / name
    if not path.is_file() or hash_file(path) != name.partition(".")[0]:
        raise CheckpointError(
            f"{path}, the copy of an image that something was said of, is missing or was changed; "
            "restore it from a backup."
        )
    return path


def _read(folder: RunFolder) -> tuple[tuple[Feedback, ...], str]:
    """Read all entries, and the hash that the next entry must name."""
    if not folder.feedback.exists():
        return (), _START
    entries, previous = [], _START
    for number, line in enumerate(folder.feedback.read_bytes().splitlines(True), start=1):
        try:
            entry = Feedback.model_validate_json(line)
        except ValidationError as error:
            raise _damaged(folder, number, "is not an entry") from error
        if not line.endswith(b"\n"):
            raise _damaged(folder, number, "is cut off")
        if entry.previous != previous:
            raise _damaged(folder, number, "does not follow the line before it, one was changed")
        entries.append(entry)
        previous = hashlib.sha256(line).hexdigest()
    return tuple(entries), previous


def _damaged(folder: RunFolder, number: int, how: str) -> CheckpointError:
    return CheckpointError(
        f"line {number} of {folder.feedback} {how}; restore the file from a backup. If only its last "
        "line is broken, after a power cut, remove that line."
    )


def _append(path: Path, line: bytes) -> None:
    """Append the whole line or nothing, and flush it to disk."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        length = os.fstat(handle).st_size
        if os.write(handle, line) != len(line):
            os.ftruncate(handle, length)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(handle)
    finally:
        os.close(handle)
