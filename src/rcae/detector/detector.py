"""The finished detector: an image in, a decision with its reasons out."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rcae.base.arrays import Array
from rcae.base.errors import ImageError
from rcae.base.settings import Settings
from rcae.base.storage import refusals_named
from rcae.data.images import as_image, read_image
from rcae.detector.calibration import Calibration
from rcae.detector.detection import Detection, Explanation
from rcae.detector.run.model_header import ModelHeader
from rcae.detector.run.signature import verify
from rcae.detector.runners.runner import Runner, open_runner
from rcae.drawing.pictures import HeatScale


class Detector:
    """A trained model that stays loaded, whatever executes it.

    >>> detector = Detector.load("runs/screws")          # doctest: +SKIP
    >>> detector.predict("new/part.png").is_defective    # doctest: +SKIP
    True
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    @classmethod
    @refusals_named()
    def load(
        cls,
        path: str | Path,
        *,
        device: str | None = None,
        require_signature: str | Path | None = None,
    ) -> Self:
        """Load a run folder, its `model.safetensors`, or a file that `rcae export` wrote.

        A signature is verified right before the file is opened again to load it. Whoever can write
        to the folder in between could swap the file: keep signed files where only you can write.

        Args:
            path: what to load; `.onnx` is executed by ONNX Runtime, `.xml` by OpenVINO.
            device: of a run, like "cpu" or "cuda:1"; the GPU if there is one, unless given.
            require_signature: a public key (PEM) that must have signed what is loaded; see
                `rcae.detector.run.signature.verify`.

        Raises:
            UsageError: there is no model at `path`, or `device` does not apply or is not there.
            MissingExtraError: what executes the file is not installed.
            CheckpointError: the file is damaged, was changed, or is not one of ours.
            SignatureError: it is not what the key signed, or the key cannot be used.
            StorageError: it lies in a folder that cannot be entered, or its name is too long.
        """
        path = Path(path)
        if require_signature is not None:
            verify(path, Path(require_signature))
        return cls(open_runner(path, device))

    @property
    def header(self) -> ModelHeader:
        """Settings, working size, calibration and provenance of the model."""
        return self.runner.header

    @property
    def calibration(self) -> Calibration:
        """The threshold, what it promises, and the scores it comes from."""
        return self.header.calibration

    @property
    def settings(self) -> Settings:
        """The settings the model was trained with."""
        return self.header.settings

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
            ImageError: it cannot be decoded, is neither path nor array, or has a size or type outside
                the rules.
        """
        started_at = time.perf_counter()
        return self.inspect(_pixels(image), started_at)

    def inspect(self, image: Array, started_at: float) -> Detection:
        """As `predict`, for an image as `rcae.data.images.read_image` gives it.

        Args:
            image: float32 [height, width, 3], in 0..1; not checked.
            started_at: of `time.perf_counter`, from when the image's duration counts.

        Raises:
            ImageError: it is larger than the model can work on.
        """
        (answer,) = self.inspect_many([image], [started_at])
        if isinstance(answer, ImageError):
            raise answer
        return answer

    def inspect_many(
        self,
        images: Sequence[Array],
        started_at: Sequence[float],
        threshold: float | None = None,
    ) -> list[Detection | ImageError]:
        """Inspect several images, together where that is faster; one answer each, in order.

        Args:
            images: float32 [height, width, 3] each, in 0..1, of any sizes; not checked.
            started_at: of `time.perf_counter`, from when each image's duration counts.
            threshold: decides instead of the calibrated one, if given.

        Returns:
            an ImageError for an image larger than the model can work on.
        """
        calibration = self.calibration
        if threshold is not None:
            calibration = calibration.model_copy(update={"threshold": threshold})
        refusals = [self.runner.refusal(image) for image in images]
        workable = [image for image, refusal in zip(images, refusals, strict=True) if not refusal]
        maps = iter(self.runner.maps(workable))
        return [
            refusal or Detection.of(next(maps), image.shape[:2], calibration, since)
            for image, refusal, since in zip(images, refusals, started_at, strict=True)
        ]

    def explain(self, image: str | Path | NDArray[np.generic]) -> Explanation:
        """What each part of the model made of an image; arguments and errors as in `predict`.

        Raises:
            UsageError: the detector was loaded from an exported file; see `can_explain`.
        """
        return self.runner.explain(_pixels(image))

    @property
    def can_explain(self) -> bool:
        """Whether `explain` works: for a run, not for an exported file, which draws the map alone."""
        return self.runner.can_explain


def _pixels(image: str | Path | NDArray[np.generic]) -> Array:
    return read_image(Path(image)) if isinstance(image, (str, Path)) else as_image(image)
