"""Finds and localises defects in industrial images, trained from scratch on good images only.

>>> import rcae
>>> rcae.train("parts", "runs/parts")                    # doctest: +SKIP
>>> detector = rcae.Detector.load("runs/parts")          # doctest: +SKIP
>>> detector.predict("new/part.png").anomaly_score       # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rcae.api import evaluate, train
    from rcae.base.errors import RcaeError
    from rcae.data.layouts.source import DataSource, Folders
    from rcae.detector.detection import Detection, Region
    from rcae.detector.detector import Detector
    from rcae.evaluation.drift.monitor import Monitor

__all__ = [
    "DataSource",
    "Detection",
    "Detector",
    "Folders",
    "Monitor",
    "RcaeError",
    "Region",
    "evaluate",
    "train",
]

_HOME = {
    "DataSource": "rcae.data.layouts.source",
    "Detection": "rcae.detector.detection",
    "Detector": "rcae.detector.detector",
    "Folders": "rcae.data.layouts.source",
    "Monitor": "rcae.evaluation.drift.monitor",
    "RcaeError": "rcae.base.errors",
    "Region": "rcae.detector.detection",
    "evaluate": "rcae.api",
    "train": "rcae.api",
}


def __getattr__(name: str) -> Any:
    """Import `name` on first use, so that `import rcae` alone loads no torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'rcae' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)
