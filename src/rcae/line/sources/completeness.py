"""Signs that a file which does not change at the moment is not complete yet."""

import errno
import signal
import sys
from enum import StrEnum

LARGEST_TAIL_BYTES = 4096
TAIL_SHARE = 8
"""The tail is an eighth of a small file: a block that a writer fills at once is seldom smaller."""


class Doubt(StrEnum):
    """Reason for which a file is not read as complete, as the second half of a sentence."""

    CHANGES = "it changes while it is read"
    OPEN = "another program has it open for writing"
    ZEROS = "it ends in zeros, as a file that is not filled yet"


def is_open_for_writing(descriptor: int) -> bool:
    """Tell whether a program on this machine has the file open for writing, as far as the system says.

    Linux refuses a read lease while a file is open for writing. It gives leases on local disks only, and
    only to the owner of the file or root. The answer is False where it says nothing.
    """
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        # A writer that comes in between sends this signal, which does nothing; the default one kills.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def ends_in_zeros(content: bytes) -> bool:
    """Tell whether the tail is all zeros: space that was reserved, or black pixels without compression."""
    tail_bytes = min(LARGEST_TAIL_BYTES, len(content) // TAIL_SHARE)
    return tail_bytes > 0 and not any(content[-tail_bytes:])
