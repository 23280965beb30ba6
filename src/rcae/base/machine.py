"""Facts of this machine and process that are stored beside a result."""

import platform
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
