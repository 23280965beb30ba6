"""Every error this package raises on purpose, with the exit code the command line gives for it.

    RcaeError
    ├── UsageError            2   a wrong option, path or request
    │   ├── SettingsError     2   a settings file or value breaks a rule
    │   └── MissingExtraError 2   an optional dependency is not installed
    ├── DataError             3   a folder of images cannot be used as it is
    │   └── ImageError        3   one file is not a usable image or mask
    │       └── ImageFormatError 3   it is no image of a format that is read
    ├── CheckpointError       4   a model or training state file is damaged or foreign
    │   └── SignatureError    4   what was to be loaded is not what the given key signed
    ├── StorageError          5   the disk refused to take or give a file
    ├── TrainingError         6   the loss is no longer a number
    ├── VerificationError     7   an exported file does not say what its run says
    ├── DriftError            8   recent scores do not look like the calibration scores
    ├── DeliveryError             an output could not be sent to; it is tried again
    │   └── RefusedError          the receiver wants none of this one, however often it is sent
    ├── InterruptedTrainingError  130   stopped on request, resumable
    └── CellFailedError             one cell of a benchmark failed; its own exit code

A message says what was received, the rule it breaks and what to do about it, and names the path.
"""


class RcaeError(Exception):
    """Root of all errors raised on purpose. `exit_code` is what the command line exits with."""

    exit_code = 1


class UsageError(RcaeError):
    """The request itself is wrong: an option, a path that does not exist, an output that is taken."""

    exit_code = 2


class SettingsError(UsageError):
    """A settings file or a single setting breaks a rule."""


class MissingExtraError(UsageError):
    """An optional dependency is needed; the message gives the `pip install` that adds it."""


class DataError(RcaeError):
    """A folder of images cannot be used as it is."""

    exit_code = 3


class ImageError(DataError):
    """One file is not a usable image or mask."""


class ImageFormatError(ImageError):
    """The file is not a PNG, JPEG, BMP or TIFF image, whatever its name."""


class CheckpointError(RcaeError):
    """A model or training state file is damaged, tampered with, or not one of ours."""

    exit_code = 4


class SignatureError(CheckpointError):
    """What is to be loaded is not what the given key signed, or a key file cannot be used."""


class StorageError(RcaeError):
    """The disk refused: full, read-only, or not permitted."""

    exit_code = 5


class TrainingError(RcaeError):
    """Training cannot go on: the loss is no longer a number."""

    exit_code = 6


class VerificationError(RcaeError):
    """An exported file does not say what its run says."""

    exit_code = 7


class DriftError(RcaeError):
    """Recent scores do not look like the calibration scores any more."""

    exit_code = 8


class DeliveryError(RcaeError):
    """An output could not be sent to: it is away, busy, or refuses the sender; worth another try."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """How long the receiver asked to be left alone."""


class RefusedError(DeliveryError):
    """The receiver refused one inspection for good; sending it again would change nothing."""


class InterruptedTrainingError(RcaeError):
    """Training was asked to stop; what it had learnt is saved and can be resumed."""

    exit_code = 130


class CellFailedError(RcaeError):
    """One cell of a benchmark ended with an error; `exit_code` is that of the cell."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
