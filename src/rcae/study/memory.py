"""The contender `memory`: pretrained evidence alone, in our own view of the images."""

from functools import partial
from pathlib import Path

from rcae.base.settings import load_settings
from rcae.detector.runners.torch_maps import maps
from rcae.model.memory_system import MemorySystem
from rcae.study.map_predictor import MapPredictor
from rcae.study.request import CellRequest
from rcae.training.cross_fitting import fit_evidence
from rcae.training.training_data import open_good_parts

NOTE = (
    "a coreset of 2,000 good patches at each of three scales, in features of EfficientNet-Lite0 (ImageNet) "
    "and in the view of preset quick; nothing is trained, and the budget is not used"
)


def fit_memory(cell: CellRequest, folder: Path) -> MapPredictor:  # noqa: ARG001
    """Fit a memory on the good images of the cell's data, and calibrate it.

    Raises:
        DataError, ImageError, SettingsError: see `rcae.training.trainer.train`.
    """
    settings = load_settings("quick", values=cell.values, seed=cell.seed)
    parts = open_good_parts(Path(cell.data), settings)
    system = MemorySystem()
    fitted = fit_evidence(system, parts, cell.seed, settings.calibration.false_alarm_rate)
    predictor = MapPredictor(partial(maps, system, parts.working_view), parts.working_view.usual)
    predictor.calibration = fitted.calibration
    return predictor
