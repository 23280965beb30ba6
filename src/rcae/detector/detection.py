"""Answer of a detector for one image: score, decision, anomaly map, regions, and its reasons."""

import time
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage

from rcae.base.arrays import Array
from rcae.data.images import resize
from rcae.data.photograph import Photograph
from rcae.data.regions import connected_regions
from rcae.detector.calibration import Calibration


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
    """Answer of the detector for one image."""

    anomaly_score: float
    """Largest value of `anomaly_map`; higher is more anomalous."""
    p_value: float
    """Conformal p-value of the score, 0..1; lower is more unusual. See `Calibration.p_value`."""
    threshold: float
    anomaly_map: Array
    """Finished map, [height, width] at the image's own size."""
    working_map: Array
    """Map that the networks drew, at working size; `anomaly_map` is the same map at the image's size."""
    regions: tuple[Region, ...]
    """Regions, strongest first; empty exactly when the image is not defective."""
    duration_s: float
    """Time for this image, decoding included."""
    remark: str | None = None
    """Sentences on what is unusual about the image, like its size; None for a usual one."""

    @classmethod
    def of(
        cls,
        working_map: Array,
        photograph: Photograph,
        calibration: Calibration,
        started_at: float,
    ) -> Self:
        """Make the detection of an image from its finished map.

        `started_at` is a reading of `time.perf_counter`.
        """
        values = resize(working_map, *photograph.image.shape[:2])
        anomaly_score = score_of(values)
        return cls(
            anomaly_score=anomaly_score,
            p_value=calibration.p_value(anomaly_score),
            threshold=calibration.threshold,
            anomaly_map=values,
            working_map=working_map,
            regions=_regions(values, calibration.threshold),
            duration_s=time.perf_counter() - started_at,
            remark=" ".join(photograph.remarks.values()) or None,
        )

    @property
    def is_defective(self) -> bool:
        """True if the score is at or above the threshold."""
        return self.anomaly_score >= self.threshold


def score_of(anomaly_map: Array) -> float:
    """Return the anomaly score: the largest value of a map [height, width] at the image's own size.

    The rule is the same for every model, so that a threshold of scores is one of pixels as well.
    """
    return float(anomaly_map.max())


@dataclass(frozen=True)
class Explanation:
    """Output of each part of the model for one image, at working size."""

    image: Array
    """Working image, [height, width, 3], 0..1."""
    reconstructions: dict[int, Array]
    """Reconstructions I_R^n by n, for the steps used; each [height, width, 3], not clipped."""
    restored: Array | None
    """I_D^n of the last step used, [height, width, 3]; None without a detail network."""
    anomaly_map: Array
    """Anomaly map, [height, width], smoothed."""


def _regions(anomaly_map: Array, threshold: float) -> tuple[Region, ...]:
    # The score is compared in float64, and so are the pixels. Pixels below the threshold could reach it
    # if it were rounded to float32.
    labels, _ = connected_regions(anomaly_map.astype(np.float64) >= threshold)
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
