"""Finds and localises defects in industrial images, trained from scratch on good images only.

>>> import rcae
>>> detector = rcae.train("parts", "runs/new", budget="10m", quiet=True)
>>> detector.predict("new/0001.png")
Detection(defective, anomaly_score=...)

Every command has a function of its name here, with the options of the command: `rcae.train` is
`rcae train`. Commands that run for days or at a line, like `rcae benchmark` and `rcae watch`, have none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rcae.api import feedback
    from rcae.api.anomaly_detector import AnomalyDetector as AnomalyDetector
    from rcae.api.inspecting import doctor, export, merge, predict, verify
    from rcae.api.learning import calibrate, evaluate, restore, train
    from rcae.api.trusting import card, compare, info, keygen, monitor
    from rcae.base.errors import RcaeError
    from rcae.base.progress import Progress
    from rcae.data.layouts.source import DataSource, Folders
    from rcae.detector.detection import Detection, Region
    from rcae.detector.detector import Detector
    from rcae.evaluation.drift.monitor import Monitor
    from rcae.evaluation.evaluation import Evaluation

    __version__: str

__all__ = [
    "DataSource",
    "Detection",
    "Detector",
    "Evaluation",
    "Folders",
    "Monitor",
    "Progress",
    "RcaeError",
    "Region",
    "__version__",
    "calibrate",
    "card",
    "compare",
    "doctor",
    "evaluate",
    "export",
    "feedback",
    "info",
    "keygen",
    "merge",
    "monitor",
    "predict",
    "restore",
    "train",
    "verify",
]

_HOMES = {
    "rcae.api.anomaly_detector": ("AnomalyDetector",),
    "rcae.api.inspecting": ("doctor", "export", "merge", "predict", "verify"),
    "rcae.api.learning": ("calibrate", "evaluate", "restore", "train"),
    "rcae.api.trusting": ("card", "compare", "info", "keygen", "monitor"),
    "rcae.base.errors": ("RcaeError",),
    "rcae.base.progress": ("Progress",),
    "rcae.data.layouts.source": ("DataSource", "Folders"),
    "rcae.detector.detection": ("Detection", "Region"),
    "rcae.detector.detector": ("Detector",),
    "rcae.evaluation.drift.monitor": ("Monitor",),
    "rcae.evaluation.evaluation": ("Evaluation",),
}
"""Module of each name."""


def __getattr__(name: str) -> Any:
    """Import `name` on first use, so that `import rcae` alone loads no torch."""
    if name == "__version__":
        from importlib.metadata import version

        return version("rcae")
    if name == "feedback":
        return import_module("rcae.api.feedback")
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'rcae' has no attribute '{name}'")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    """Return the names that a person may complete."""
    return sorted((*__all__, "AnomalyDetector"))
