"""Import of reviews of images inspected at a line into the journal of the run."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rcae.base.progress import say
from rcae.base.text import printable
from rcae.data.image_files import IMAGE_SUFFIXES
from rcae.detector.run.run_folder import RunFolder
from rcae.line.feedback.journal import add_feedback, read_feedback
from rcae.line.record.inspection import Inspection, Query, ReviewState
from rcae.line.record.kept_images import KeptImageError, KeptImages
from rcae.line.record.record import Record

_Word = tuple[str, str, str, str]
"""SHA-256 of the image, verdict, author, note."""


@dataclass
class Imported:
    """Number of reviewed images per outcome of the import."""

    added: int = 0
    known: int = 0
    """Reviews that the journal already holds, from the same moment or later."""
    not_kept: int = 0
    """Reviews whose picture is gone or damaged."""


def import_reviews(
    folder: RunFolder, record: Record, kept_images: KeptImages, model_sha256: str
) -> Imported:
    """Add the last review of every kept image that this model inspected, oldest review first.

    Raises:
        CheckpointError: the journal is damaged; nothing is added.
        StorageError: the record or the disk refused. Added reviews stay and are skipped in the next import.
            An unreadable picture is left out with a warning instead.
    """
    counts = Imported()
    said_at: dict[_Word, datetime] = {}
    for one in read_feedback(folder):
        word = (one.sha256, one.verdict, one.author, one.note)
        said_at[word] = max(one.time, said_at.get(word, one.time))
    reviewed = [
        inspection
        for verdict in (ReviewState.GOOD, ReviewState.DEFECT)
        for inspection in record.each(Query(model_sha256=model_sha256, reviewed=verdict))
    ]
    for inspection in sorted(reviewed, key=lambda one: one.reviews[-1].time):
        last = inspection.reviews[-1]
        word = (inspection.image_sha256, last.verdict, printable(last.author), printable(last.note))
        # An equal older review may have been withdrawn in between; the review is then added again.
        if word in said_at and said_at[word] >= last.time:
            counts.known += 1
        elif (image := _kept(kept_images, inspection)) is None:
            counts.not_kept += 1
        else:
            _add(folder, inspection, image)
            said_at[word] = last.time
            counts.added += 1
    return counts


def _kept(kept_images: KeptImages, inspection: Inspection) -> bytes | None:
    try:
        return kept_images.image(inspection.id)
    except KeptImageError as error:
        say(f"Inspection {inspection.number} is not taken over: {error}")
        return None


def _add(folder: RunFolder, inspection: Inspection, image: bytes) -> None:
    last = inspection.reviews[-1]
    with TemporaryDirectory() as temporary:
        file = Path(temporary, "image").with_suffix(_suffix(inspection.source))
        file.write_bytes(image)
        add_feedback(
            folder,
            file,
            last.verdict,
            inspection,
            note=last.note,
            author=last.author,
            name=inspection.source,
            said_at=last.time,
        )


def _suffix(source: str) -> str:
    """Return the suffix of the image's name, or an empty text for an unknown suffix.

    The suffix is only for people, because names may be anything.
    """
    suffix = Path(source).suffix.lower()
    return suffix if suffix in IMAGE_SUFFIXES else ""
