"""Facts of this machine and process that stand beside a result."""

import platform
import sys
from importlib import metadata


def package_versions() -> dict[str, str]:
    """The versions that a result depends on."""
    packages = ("rcae", "torch", "numpy", "pillow", "scipy", "safetensors")
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }


def peak_memory_mib() -> int | None:
    """Largest memory this process has held so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows has no such module
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))
