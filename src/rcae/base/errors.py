"""Errors that this package raises on purpose, with the exit code of the command line for each.

    RcaeError
    ├── UsageError            2   a wrong option, path or request
    │   ├── SettingsError     2   a settings file or value breaks a rule
    │   ├── MissingExtraError 2   an optional dependency is not installed
    │   └── PlugInError       2   a plug-in is not installed, or fails
    ├── DataError             3   a folder of images cannot be used as it is
    │   └── ImageError        3   one file is not a usable image or mask
    │       └── ImageFormatError 3   the file has no supported image format
    ├── CheckpointError       4   a model or training state file is damaged or foreign
    │   └── SignatureError    4   the signature does not match the given key
    ├── StorageError          5   the disk refused to write or read a file
    ├── TrainingError         6   the loss is no longer a number
    ├── VerificationError     7   an exported file disagrees with its run
    ├── DriftError            8   recent scores differ from the calibration scores
    ├── DeliveryError             an output is not available now; the delivery is retried
    │   └── RefusedError          the receiver rejects one inspection for good; no retry
    ├── StoppedError          130 an inspection was stopped on request; nothing of it is recorded
    ├── InterruptedTrainingError  130   stopped on request, resumable
    └── CellFailedError             one cell of a benchmark failed; its own exit code

A message says what was received, the rule it breaks and what to do about it. It names the path.
"""


class RcaeError(Exception):
    """Root of all errors raised on purpose. `exit_code` is the exit code of the command line."""

    exit_code = 1


class UsageError(RcaeError):
    """The request itself is wrong: an option, a missing path, or an output that already exists."""

    exit_code = 2


class SettingsError(UsageError):
    """A settings file or a single setting breaks a rule."""


class MissingExtraError(UsageError):
    """An optional dependency is missing; the message gives the command that adds it."""


class PlugInError(UsageError):
    """A name is neither built in nor added by an installed package, or that package fails."""


class DataError(RcaeError):
    """A folder of images cannot be used as it is."""

    exit_code = 3


class ImageError(DataError):
    """One file is not a usable image or mask."""


class ImageFormatError(ImageError):
    """The file is no image of a kind that is read, whatever its name says."""


class CheckpointError(RcaeError):
    """A model or training state file is damaged, tampered with, or not written by this package."""

    exit_code = 4


class SignatureError(CheckpointError):
    """The signature does not match the given key, or a key file cannot be used."""


class StorageError(RcaeError):
    """The disk refused: it is full, read-only, or access is not permitted."""

    exit_code = 5


class TrainingError(RcaeError):
    """Training cannot go on because the loss is no longer a number."""

    exit_code = 6


class VerificationError(RcaeError):
    """An exported file disagrees with its run."""

    exit_code = 7


class DriftError(RcaeError):
    """Recent scores no longer follow the distribution of the calibration scores."""

    exit_code = 8


class DeliveryError(RcaeError):
    """An output is unreachable, busy, or rejects the sender; a retry may succeed."""

    def __init__(
        self, message: str, retry_after_s: float = 0.0, *, is_answer: bool = False
    ) -> None:
        super().__init__(message)
        self.is_answer = is_answer
        """True if the receiver answered, so that another inspection may fare better."""
        self.retry_after_s = retry_after_s
        """Seconds that the receiver asked to wait before the next attempt."""


class RefusedError(DeliveryError):
    """The receiver rejected one inspection for good; a retry would change nothing."""


class StoppedError(RcaeError):
    """An inspection was stopped on request before its end; nothing of it is recorded."""

    exit_code = 130


class InterruptedTrainingError(RcaeError):
    """Training was asked to stop; its state is saved and can be resumed."""

    exit_code = 130


class CellFailedError(RcaeError):
    """One cell of a benchmark ended with an error; `exit_code` is the exit code of the cell."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
