"""The finished detector: an image in, a decision with its reasons out."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from rcae.calibration import Calibration
from rcae.checkpoint import Model, load_model
from rcae.data.images import as_image, read_image, resize
from rcae.inference import Explanation, explain, working_map
from rcae.metrics.regions import connected_regions
from rcae.pictures import HeatScale
from rcae.run_folder import RunFolder
from rcae.settings import Settings


@dataclass(frozen=True)
class Region:
    """A connected part of the anomaly map at or above the threshold."""

    left_px: int
    top_px: int
    width_px: int
    height_px: int
    area_px: int
    peak: float
    """Largest anomaly value in the region."""
    peak_x_px: int
    peak_y_px: int


@dataclass(frozen=True)
class Detection:
    """What the detector says of one image."""

    anomaly_score: float
    """The largest value of `anomaly_map`; higher is more anomalous."""
    threshold: float
    anomaly_map: NDArray[np.float32]
    """[height, width] at the image's own size."""
    working_map: NDArray[np.float32]
    """The map as the networks drew it, at working size; `anomaly_map` is it, enlarged."""
    regions: tuple[Region, ...]
    """Strongest first; empty exactly when the image is not defective."""
    duration_s: float
    """Time for this image, decoding included."""

    @classmethod
    def of(
        cls,
        working_map: NDArray[np.float32],
        size_px: tuple[int, int],
        threshold: float,
        started_at: float,
    ) -> Self:
        """What a map drawn at working size says of an image of this height and width.

        The score is the largest value of the enlarged map, the same rule for every model.
        `started_at` is of `time.perf_counter`.
        """
        values = resize(working_map, *size_px)
        return cls(
            anomaly_score=float(values.max()),
            threshold=threshold,
            anomaly_map=values,
            working_map=working_map,
            regions=_regions(values, threshold),
            duration_s=time.perf_counter() - started_at,
        )

    @property
    def is_defective(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.anomaly_score >= self.threshold


class Detector:
    """A trained model that stays loaded.

    >>> detector = Detector.load("runs/screws")          # doctest: +SKIP
    >>> detector.predict("new/part.png").is_defective    # doctest: +SKIP
    True
    """

    def __init__(self, model: Model, *, device: str | torch.device | None = None) -> None:
        """Use a model already in memory, on `device` or else on the GPU if there is one."""
        chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model
        self._system = model.system.to(chosen)

    @classmethod
    def load(cls, path: str | Path, *, device: str | torch.device | None = None) -> Self:
        """Load a run folder or its `model.safetensors`.

        Raises:
            UsageError: there is no model at `path`.
            CheckpointError: the file is damaged, was changed, or is not one of ours.
        """
        path = Path(path)
        return cls(load_model(RunFolder(path).model if path.is_dir() else path), device=device)

    @property
    def calibration(self) -> Calibration:
        """The threshold, what it promises, and the scores it comes from."""
        return self.model.calibration

    @property
    def settings(self) -> Settings:
        """The settings the model was trained with."""
        return self.model.settings

    @property
    def heat_scale(self) -> HeatScale:
        """The colours' meaning, fixed by calibration and the same for every image."""
        return HeatScale(low=self.calibration.typical_value, threshold=self.calibration.threshold)

    def predict(self, image: str | Path | NDArray[np.generic]) -> Detection:
        """Inspect one image.

        Args:
            image: a path, or an array [height, width], [height, width, 3] or [height, width, 4]
                (grey, RGB, RGBA) of uint8, uint16, or floats in 0..1.

        Raises:
            ImageError: it cannot be decoded, or has a size or type outside the rules.
        """
        started_at = time.perf_counter()
        pixels = _pixels(image)
        drawn = working_map(self._system, self.model.working_size.shrink(pixels))
        return Detection.of(drawn, pixels.shape[:2], self.calibration.threshold, started_at)

    def explain(self, image: str | Path | NDArray[np.generic]) -> Explanation:
        """What each part of the model made of an image; arguments and errors as in `predict`."""
        pixels = _pixels(image)
        return explain(self._system, self.model.working_size.shrink(pixels))


def _pixels(image: str | Path | NDArray[np.generic]) -> NDArray[np.float32]:
    return read_image(Path(image)) if isinstance(image, (str, Path)) else as_image(image)


def _regions(anomaly_map: NDArray[np.float32], threshold: float) -> tuple[Region, ...]:
    labels, _ = connected_regions(anomaly_map >= threshold)
    regions = []
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[rows, columns] == label
        values = np.where(inside, anomaly_map[rows, columns], -np.inf)
        peak_y, peak_x = np.unravel_index(int(values.argmax()), values.shape)
        regions.append(
            Region(
                left_px=columns.start,
                top_px=rows.start,
                width_px=columns.stop - columns.start,
                height_px=rows.stop - rows.start,
                area_px=int(inside.sum()),
                peak=float(values[peak_y, peak_x]),
                peak_x_px=columns.start + int(peak_x),
                peak_y_px=rows.start + int(peak_y),
            )
        )
    return tuple(sorted(regions, key=lambda region: -region.peak))
