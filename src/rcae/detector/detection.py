"""Answer of a detector for one image: score, decision, anomaly map, regions, and its reasons."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from PIL.Image import Image
from scipy import ndimage

from rcae.base.arrays import Array
from rcae.base.errors import ImageError, RcaeError
from rcae.data.images import resize
from rcae.data.photograph import Photograph
from rcae.data.regions import connected_regions
from rcae.detector.calibration import Calibration
from rcae.drawing import pictures
from rcae.drawing.page import notebook_html

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOTEBOOK_SIDE_PX = 480
"""Longest side of a picture in a notebook (our choice)."""


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


@dataclass(frozen=True, repr=False)
class Detection:
    """Answer of the detector for one image; a notebook shows it as a picture.

    >>> detection = rcae.Detector.load("runs/parts").predict("new/0001.png")
    >>> detection.is_defective
    True
    >>> detection.overlay().save("overlay.png")
    """

    anomaly_score: float
    """Largest value of `anomaly_map`; higher is more anomalous."""
    p_value: float
    """Conformal p-value of the score, 0..1; lower is more unusual. See `Calibration.p_value`."""
    threshold: float
    typical_value: float
    """Value of the map that is typical of good images, where the heat begins."""
    anomaly_map: Array
    """Finished map, [height, width] at the image's own size."""
    working_map: Array
    """Map that the networks drew, at working size; `anomaly_map` is the same map at the image's size."""
    regions: tuple[Region, ...]
    """Regions, strongest first; empty exactly when the image is not defective."""
    duration_s: float
    """Time for this image, decoding included."""
    reader: Callable[[], Array]
    """Function that returns the image; see `image`."""
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
            typical_value=calibration.typical_value,
            anomaly_map=values,
            working_map=working_map,
            regions=_regions(values, calibration.threshold),
            duration_s=time.perf_counter() - started_at,
            reader=photograph.reader,
            remark=" ".join(photograph.remarks.values()) or None,
        )

    @property
    def is_defective(self) -> bool:
        """True if the score is at or above the threshold."""
        return self.anomaly_score >= self.threshold

    @property
    def image(self) -> Array:
        """The image, float32 RGB [height, width, 3] in 0..1; a file is read again, an array is kept.

        Raises:
            ImageError: the file is gone, or cannot be read any more.
        """
        return self.reader()

    def overlay(self) -> Image:
        """Draw the heat over the image, with its regions outlined; one scale serves all images of a model.

        Raises:
            ImageError: the errors of `image`; or the file has another size than it had.
            UsageError: the threshold is no higher than the typical value, so that there is no scale.
        """
        image, size = self.image, self.anomaly_map.shape
        if image.shape[:2] != size:
            raise ImageError(
                f"the image is {image.shape[1]}x{image.shape[0]} px now, and was {size[1]}x{size[0]} px when "
                "it was inspected; inspect it again."
            )
        scale = pictures.HeatScale(low=self.typical_value, threshold=self.threshold)
        return pictures.overlay(image, self.anomaly_map, scale)

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the overlay with matplotlib, titled by the decision.

        Args:
            axes: Axes to draw on; None makes a new figure of pyplot.

        Raises:
            ImageError, UsageError: the errors of `overlay`.
        """
        overlay = self.overlay()
        if axes is None:
            from matplotlib import pyplot as plt

            axes = plt.figure().add_subplot()
        axes.imshow(np.asarray(overlay))
        axes.set_title(f"{self._decision}: score {self.anomaly_score:.4g} of {self.threshold:.4g}")
        axes.set_axis_off()
        return axes

    def __repr__(self) -> str:
        height, width = self.anomaly_map.shape
        return (
            f"Detection({self._decision}, anomaly_score={self.anomaly_score:.4g}, "
            f"threshold={self.threshold:.4g}, p_value={self.p_value:.3g}, {len(self.regions)} regions, "
            f"{width}x{height} px)"
        )

    def _repr_html_(self) -> str:
        """Return the cell of a notebook: the decision, the image, and the overlay."""
        lines = [
            f"score {self.anomaly_score:.4g}, threshold {self.threshold:.4g}, p-value {self.p_value:.3g}, "
            f"{len(self.regions)} regions at or above the threshold"
        ]
        lines += [self.remark] if self.remark else []
        shown = []
        try:
            both = (("image", pictures.to_image(self.image)), ("overlay", self.overlay()))
            shown = [(pictures.data_uri(one, NOTEBOOK_SIDE_PX), name) for name, one in both]
        except RcaeError as error:
            lines.append(f"no picture: {error}")
        return notebook_html(self._decision.capitalize(), lines=lines, pictures=shown)

    @property
    def _decision(self) -> str:
        return "defective" if self.is_defective else "good"


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
