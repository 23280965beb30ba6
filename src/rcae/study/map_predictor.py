"""Any model that draws maps, behind the interface of the evaluation."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rcae.base.arrays import Array
from rcae.data.images import read_image
from rcae.data.photograph import Photograph
from rcae.data.usual_image import UsualImage
from rcae.detector.calibration import Calibration, calibrate
from rcae.detector.calibration_images import score_good_images, scores_of, typical_value_of
from rcae.detector.detection import Detection


class MapPredictor:
    """Calibrates and predicts by the same rules as ours; only the maps come from elsewhere."""

    def __init__(
        self, maps: Callable[[Sequence[Array]], list[Array]], usual: UsualImage | None
    ) -> None:
        """Take what draws maps, as `Runner.maps` does, and what is usual in its images."""
        self._maps = maps
        self.usual = usual
        self.calibration: Calibration

    def calibrate(self, images: Mapping[str, Path], false_alarm_rate: float) -> None:
        """Set the threshold from held-out good images, paths by their SHA-256."""
        good = score_good_images(images, self._maps, self.usual)
        self.calibration = calibrate(scores_of(good), typical_value_of(good), false_alarm_rate)

    def predict(self, image: Path) -> Detection:
        """Predict the image of a path, like `Detector.predict`."""
        started_at = time.perf_counter()
        pixels = read_image(image, self.usual)
        (working_map,) = self._maps([pixels])
        return Detection.of(working_map, Photograph(pixels), self.calibration, started_at)
