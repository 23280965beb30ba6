"""Inspection of new files in a folder: every image file once, also across restarts."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rcae.base.errors import ImageError, StorageError, UsageError
from rcae.base.interruption import StopRequest
from rcae.base.text import printable
from rcae.line.inspector import Arrival, Inspector
from rcae.line.patience import Patience
from rcae.line.record.inspection import Inspection
from rcae.line.record.record import Record
from rcae.line.sources.folder import Folder, WaitingFile
from rcae.line.sources.known_files import KnownFiles

POLL_S = 0.5
IMAGES_AT_ONCE = 8
FILES_AT_ONCE = 500
"""Number of files that the record is asked for together."""
BYTES_AT_ONCE = 64 * 1024 * 1024
"""Bytes of the files that are read together; a single larger file is read alone."""


@contextmanager
def sole_watcher(folder: Path, model: str, record: Record) -> Iterator[None]:
    """Keep other watches of this folder with this model out of the record meanwhile.

    Another model or another record may watch the folder too: each gets its own inspections, not twice
    the same ones.

    Raises:
        UsageError: another process watches the folder for this model and record.
        StorageError: the lock cannot be taken at the moment.
    """
    place = hashlib.sha256(f"{model}\n{folder.resolve()}".encode(errors="surrogatepass"))
    turn = record.turn(f"watch-{place.hexdigest()[:16]}")
    if not turn.taken():
        raise UsageError(
            f"another 'rcae watch' inspects {printable(folder)} with {model} into {record.location}; "
            "end it, or give another --store for inspections of your own."
        )
    try:
        yield
    finally:
        turn.give_back()


def watch(
    folder: Folder, inspector: Inspector, record: Record, stop: StopRequest
) -> Iterator[Inspection | ImageError]:
    """Yield each inspection until a stop is requested, and an error for each unreadable file.

    A file that the record holds, by model, path and content, is not inspected again.
    The watch waits while the record refuses or the folder is away. It skips nothing.
    """
    patience, known = Patience("Watching", stop.wait), KnownFiles(inspector.name, record)
    while not stop.requested:
        try:
            yield from _look_once(folder, inspector, record, known, stop)
            known.save()
        except StorageError as error:
            patience.failed(error)
        else:
            patience.worked()
            stop.wait(POLL_S)


def _look_once(
    folder: Folder, inspector: Inspector, record: Record, known: KnownFiles, stop: StopRequest
) -> Iterator[Inspection | ImageError]:
    together: list[tuple[WaitingFile, Arrival]] = []
    for file in _unknown(folder.settled(), known):
        if stop.requested:
            return
        try:
            content = folder.read(file, stop.wait)
        except ImageError as error:
            if folder.is_given_up(file):
                yield error
            continue
        if content is None:
            continue
        arrival = Arrival(printable(file.path), content)
        if record.has(inspector.name, arrival.source, hashlib.sha256(content).hexdigest()):
            known.note(file)
            continue
        together.append((file, arrival))
        size = sum(len(arrival.content) for _, arrival in together)
        if len(together) == IMAGES_AT_ONCE or size >= BYTES_AT_ONCE:
            yield from _inspected(together, folder, inspector, known)
            together = []
    yield from _inspected(together, folder, inspector, known)


def _unknown(files: Sequence[WaitingFile], known: KnownFiles) -> Iterator[WaitingFile]:
    for start in range(0, len(files), FILES_AT_ONCE):
        yield from known.unknown(files[start : start + FILES_AT_ONCE])
        known.save()


def _inspected(
    together: Sequence[tuple[WaitingFile, Arrival]],
    folder: Folder,
    inspector: Inspector,
    known: KnownFiles,
) -> Iterator[Inspection | ImageError]:
    if not together:
        return
    answers = inspector.inspect([arrival for _, arrival in together])
    for (file, _), answer in zip(together, answers, strict=True):
        if isinstance(answer, Inspection):
            known.note(file)
            yield answer
        elif folder.is_given_up(file):
            yield answer
