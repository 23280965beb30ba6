"""Inspection of new files in a folder: every image file once, also across restarts."""

import hashlib
from collections.abc import Iterator, Sequence

from rcae.base.errors import ImageError, StorageError
from rcae.base.interruption import StopRequest
from rcae.base.text import printable
from rcae.line.inspector import Arrival, Inspector
from rcae.line.patience import Patience
from rcae.line.record.inspection import Inspection
from rcae.line.record.record import Record
from rcae.line.sources.folder import Folder, WaitingFile, mark_done, read_settled

POLL_S = 0.5
IMAGES_AT_ONCE = 8
BYTES_AT_ONCE = 64 * 1024 * 1024
"""Bytes of the files that are read together; a single larger file is read alone."""


def watch(
    folder: Folder, inspector: Inspector, record: Record, stop: StopRequest
) -> Iterator[Inspection | ImageError]:
    """Yield each inspection until a stop is requested, and an error for each unreadable file.

    A file that the record holds, by model, path and content, is not inspected again.
    The watch waits while the record refuses or the folder is away. It skips nothing.
    """
    patience = Patience("Watching", stop.wait)
    while not stop.requested:
        try:
            yield from _look_once(folder, inspector, record, stop)
        except StorageError as error:
            patience.failed(error)
        else:
            patience.worked()
            stop.wait(POLL_S)


def _look_once(
    folder: Folder, inspector: Inspector, record: Record, stop: StopRequest
) -> Iterator[Inspection | ImageError]:
    together: list[tuple[WaitingFile, Arrival]] = []
    files = folder.settled()
    for file in files:
        if stop.requested:
            return
        try:
            arrival = _arrival(file)
        except ImageError as error:
            if folder.is_given_up(file):
                yield error
            continue
        if arrival is None:
            continue
        if record.has(inspector.name, arrival.source, hashlib.sha256(arrival.content).hexdigest()):
            mark_done(file)
            continue
        together.append((file, arrival))
        size = sum(len(arrival.content) for _, arrival in together)
        if len(together) == IMAGES_AT_ONCE or size >= BYTES_AT_ONCE:
            yield from _inspected(together, folder, inspector)
            together = []
    yield from _inspected(together, folder, inspector)


def _arrival(file: WaitingFile) -> Arrival | None:
    content = read_settled(file)
    return None if content is None else Arrival(printable(file.path), content)


def _inspected(
    together: Sequence[tuple[WaitingFile, Arrival]], folder: Folder, inspector: Inspector
) -> Iterator[Inspection | ImageError]:
    if not together:
        return
    answers = inspector.inspect([arrival for _, arrival in together])
    for (file, _), answer in zip(together, answers, strict=True):
        if isinstance(answer, Inspection):
            mark_done(file)
            yield answer
        elif folder.is_given_up(file):
            yield answer
