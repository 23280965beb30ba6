"""A detector as an estimator of scikit-learn, for pipelines, scorers and searches."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import tifffile
from numpy.typing import NDArray

from rcae.api.learning import train
from rcae.base.errors import ImageError, UsageError
from rcae.base.extras import require
from rcae.base.progress import Callback
from rcae.base.storage import write_text
from rcae.base.text import csv_text
from rcae.data.folders import expand_paths
from rcae.data.given import GivenImage, readable
from rcae.data.image_files import ImageContent
from rcae.data.images import as_pixels
from rcae.data.layouts.source import Data, DataSource
from rcae.detector.detection import Detection
from rcae.detector.detector import Detector

require("sklearn", purpose="rcae.AnomalyDetector")

from sklearn.base import BaseEstimator, OutlierMixin  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.utils.validation import check_is_fitted  # noqa: E402


class UnfittedError(UsageError, NotFittedError):  # type: ignore[misc]
    """The estimator has not been fitted; also a NotFittedError of scikit-learn."""


class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """An outlier detector of scikit-learn, fitted on good images.

    Signs are those of scikit-learn, since its scorers and searches rely on them: a higher score of this
    class is more normal. Everywhere else in this package, a higher `anomaly_score` is more anomalous.
    `score_samples` is the negative `anomaly_score`. A defective image has a `decision_function` below 0
    and the prediction -1, a good one 1.

    >>> estimator = rcae.AnomalyDetector(budget="10m", quiet=True).fit("parts")
    >>> estimator.predict(["new/0001.png", "new/0002.png"])
    array([-1,  1])
    >>> estimator.detector_.predict("new/0001.png").is_defective
    True

    Args:
        preset: see `rcae.train`, and so are the others.
        budget: Total time, like "10m", or seconds.
        seed: Random seed.
        config: TOML file with settings.
        set: Single settings, like ["model.recursion_depth=3"].
        output: Run folder to keep; None keeps the model in memory alone.
        quiet: True shows no progress.
        callbacks: Functions that get every `rcae.Progress`.

    Attributes:
        detector_: the finished `rcae.Detector`.
        offset_: Score at or above which an image is good: `decision_function` is `score_samples` minus it.
    """

    detector_: Detector
    offset_: float

    def __init__(
        self,
        *,
        preset: str | None = None,
        budget: str | float | None = None,
        seed: int | None = None,
        config: str | Path | None = None,
        set: Sequence[str] = (),  # noqa: A002
        output: str | Path | None = None,
        quiet: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.preset = preset
        self.budget = budget
        self.seed = seed
        self.config = config
        self.set = set
        self.output = output
        self.quiet = quiet
        self.callbacks = callbacks

    def fit(self, X: str | Data | Iterable[GivenImage], y: object = None) -> Self:  # noqa: N803, ARG002
        """Train on good images, and return the estimator.

        Args:
            X: A category as `rcae.train` takes it, or images as `Detector.predict` takes them.
            y: Ignored.

        Raises:
            RcaeError: the errors of `rcae.train`, like too few images.
        """
        with tempfile.TemporaryDirectory() as temporary:
            data = X if isinstance(X, str | Path | DataSource) else _listed(X, Path(temporary))
            self.detector_ = train(
                data,
                Path(temporary, "run") if self.output is None else self.output,
                preset=self.preset,
                budget=self.budget,
                seed=self.seed,
                config=self.config,
                set=self.set,
                quiet=self.quiet,
                callbacks=self.callbacks,
            )
        # A score at the threshold is defective, and a decision of 0 is good in scikit-learn.
        self.offset_ = -float(np.nextafter(self.detector_.calibration.threshold, -np.inf))
        return self

    def predict(self, X: str | Path | Iterable[GivenImage]) -> NDArray[np.int64]:  # noqa: N803
        """Return -1 for each defective image and 1 for each good one.

        Args:
            X: Images as `Detector.predict` takes them, [image] or [image, height, width, channel]; or a
                folder, whose images are sorted by name.

        Raises:
            UnfittedError: there is no model yet.
            ImageError: an image cannot be inspected.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def decision_function(self, X: str | Path | Iterable[GivenImage]) -> NDArray[np.float64]:  # noqa: N803
        """Return `score_samples` minus `offset_`: below 0 for defective images; see `predict`."""
        scores = self.score_samples(X)
        return scores - self.offset_

    def score_samples(self, X: str | Path | Iterable[GivenImage]) -> NDArray[np.float64]:  # noqa: N803
        """Return the negative anomaly score of each image, higher for normal ones; see `predict`."""
        return np.array([-one.anomaly_score for one in self._detections(X)], dtype=np.float64)

    def _detections(self, images: str | Path | Iterable[GivenImage]) -> Iterator[Detection]:
        try:
            check_is_fitted(self, "detector_")
        except NotFittedError as error:
            raise UnfittedError(f"there is no model yet: {error}") from error
        if isinstance(images, str | Path):
            images = expand_paths([str(images)])
        for answer in self.detector_.predict_many(images):
            if isinstance(answer, ImageError):
                raise answer
            yield answer

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that the input is no table of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.no_validation = True
        return tags


def _listed(images: Iterable[GivenImage], folder: Path) -> Path:
    """Return a list of images that training reads; those without a file get one in the folder."""
    rows = []
    for number, image in enumerate(images):
        source = readable(image)
        place = source if isinstance(source, Path) else folder / f"{number:06d}.tif"
        if not isinstance(source, Path):
            _write(place, source)
        rows.append((place.absolute(), "good", "train"))
    table = folder / "images.csv"
    write_text(table, csv_text(("image_path", "label", "split"), rows))
    return table


def _write(place: Path, source: ImageContent | NDArray[np.generic]) -> None:
    """Write pixels without loss, or the content of a file, whose kind is told by its first bytes."""
    if isinstance(source, ImageContent):
        place.write_bytes(source.content)
        return
    values: Any = as_pixels(source, f"image {place.stem}").values
    if values.dtype.kind == "f":
        values = values.astype(np.float32)
    if values.shape[2:] == (4,):  # composited onto black, as files are
        opaque = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
        seen = values[..., :3] * (values[..., 3:] / opaque)
        is_coarse = values.dtype == np.uint8  # 8 bits would round what prediction does not
        values = np.float32(seen / opaque) if is_coarse else seen.astype(values.dtype)
    tifffile.imwrite(place, values, photometric="minisblack" if values.ndim == 2 else "rgb")
