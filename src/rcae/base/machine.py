"""Facts of this machine and process that are stored beside a result, or bound what runs at once."""

import ctypes
import math
import os
import platform
import signal
import sys
from importlib import metadata


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that a result depends on."""
    packages = ("rcae", "torch", "numpy", "pillow", "scipy", "safetensors")
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }


def peak_memory_mib() -> int | None:
    """Return the peak memory of this process in MiB, or None if the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows lacks this module
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def core_count() -> int:
    """Return the number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_gib() -> float:
    """Return the memory of this machine in GiB; infinite if the system does not report it."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (AttributeError, ValueError):  # Windows and others lack these
        return math.inf


def end_with_parent() -> None:
    """Let the system end this process once the thread that started it ends; Linux alone can."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
