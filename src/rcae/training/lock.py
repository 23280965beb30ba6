"""One training at a time in a run folder."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from rcae.base.errors import UsageError
from rcae.base.storage import refused
from rcae.detector.run.run_folder import RunFolder


@contextmanager
def sole_trainer(folder: RunFolder) -> Iterator[None]:
    """Keep other trainings out of this folder meanwhile.

    A process that is killed leaves its file behind, but not its lock.

    Raises:
        UsageError: another training runs here.
        StorageError: the disk refused.
    """
    lock = FileLock(folder.lock)
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UsageError(
            f"another process is training in {folder.path}; wait until it ends, or choose another -o "
            "folder."
        ) from error
    except OSError as error:
        raise refused(folder.lock, error) from error
    try:
        yield
    finally:
        folder.lock.unlink(missing_ok=True)
        lock.release()
