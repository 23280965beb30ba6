"""The finished detector: an image in, a decision with its reasons out."""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from rcae.base.errors import ImageError
from rcae.base.progress import warn
from rcae.base.settings import Settings
from rcae.base.storage import refusals_named
from rcae.data.given import GivenImage, readable
from rcae.data.photograph import Photograph
from rcae.data.usual_image import SIZE_LIMIT, UsualImage
from rcae.detector.calibration import Calibration
from rcae.detector.detection import Detection, Explanation
from rcae.detector.run.model_header import ModelHeader
from rcae.detector.run.signature import verify
from rcae.detector.runners.runner import Runner, open_runner
from rcae.detector.stream import Inspected, Source, inspected
from rcae.drawing.pictures import HeatScale
from rcae.model.tiles import drawn_pixels


class Detector:
    """A trained model that stays loaded, with any runtime.

    >>> detector = rcae.Detector.load("runs/parts")
    >>> detector.predict("new/0001.png").is_defective
    True
    >>> sum(answer.is_defective for answer in detector.predict_many(["new/0001.png", "new/0002.png"]))
    1
    """

    def __init__(self, runner: Runner, size_limit: float = SIZE_LIMIT) -> None:
        self.runner = runner
        self.size_limit = size_limit
        """Largest factor between the size of an image and the training images."""
        self._said: set[str] = set()

    @classmethod
    @refusals_named()
    def load(
        cls,
        path: str | Path,
        *,
        device: str | None = None,
        threads: int | None = None,
        require_signature: str | Path | None = None,
        size_limit: float = SIZE_LIMIT,
    ) -> Self:
        """Load a run folder, its `model.safetensors`, or a file that `rcae export` wrote.

        The signature is verified first, and the file is then opened again to load it. A person with write
        access to the folder could swap the file in between. Keep signed files where only you can write.

        Args:
            path: Run folder or file; ONNX Runtime executes `.onnx`, OpenVINO executes `.xml`.
            device: Device for a run, like "cpu" or "cuda:1". The default is the GPU if there is one.
            threads: Number of CPU threads that compute an image; the default is one per core. PyTorch has
                one number for all detectors of a process, ONNX Runtime and OpenVINO one for each.
            require_signature: Public key (PEM) that must have signed the loaded files; see
                `rcae.detector.run.signature.verify`.
            size_limit: Factor by which a side or the aspect ratio of an image may lie beyond those of the
                training images; larger factors are refused.

        Raises:
            UsageError: there is no model at `path`, `threads` is below 1, or `device` does not apply or is
                not there.
            MissingExtraError: the runtime for the file is not installed.
            CheckpointError: the file is damaged, was changed, or was not written by rcae.
            SignatureError: the key did not sign these bytes, or the key cannot be used.
            StorageError: the file lies in a folder that cannot be entered, or its name is too long.
        """
        path = Path(path)
        if require_signature is not None:
            verify(path, Path(require_signature))
        return cls(open_runner(path, device, threads), size_limit)

    def __repr__(self) -> str:
        provenance = self.header.provenance
        return (
            f"Detector({provenance['category']}, {provenance['training_images']} training images, "
            f"threshold {self.calibration.threshold:.4g})"
        )

    @property
    def header(self) -> ModelHeader:
        """Settings, working size, calibration and provenance of the model."""
        return self.runner.header

    @property
    def calibration(self) -> Calibration:
        """The threshold, its promise, and the scores behind it."""
        return self.header.calibration

    @property
    def settings(self) -> Settings:
        """The settings the model was trained with."""
        return self.header.settings

    @property
    def usual(self) -> UsualImage | None:
        """Common properties of the training images, if they were measured."""
        return self.header.working_view.usual

    @property
    def heat_scale(self) -> HeatScale:
        """The meaning of the colours; the calibration fixes it, and it is the same for every image."""
        return HeatScale(low=self.calibration.typical_value, threshold=self.calibration.threshold)

    def work_px(self, height_px: int, width_px: int) -> int:
        """Return the number of pixels that the networks draw for an image of this size, in all its tiles."""
        return drawn_pixels(*self.header.working_view.seen_size_of(height_px, width_px))

    def predict(self, image: GivenImage) -> Detection:
        """Inspect one image.

        Args:
            image: Path, URL, bytes of a file, PIL image, array or tensor. An array is [height, width],
                [height, width, 3] or [height, width, 4] (grey, RGB, RGBA). A torch tensor is [height,
                width] or [channel, height, width]. Both have uint8, uint16, or floats in 0..1.

        Raises:
            ImageError: the image cannot be decoded, is of another kind, or has a size, depth or type that
                is not allowed.
        """
        started_at = time.perf_counter()
        return self.inspect(self.read(image), started_at)

    def predict_many(self, images: Iterable[GivenImage]) -> Iterator[Detection | ImageError]:
        """Inspect any number of images, and yield an answer for each, in order.

        The next images are read while the model is busy, and memory does not grow with their number.
        The duration of an image that a GPU draws in a batch is that of the batch.

        Args:
            images: Images of any kind that `predict` takes.

        Yields:
            A detection, or the ImageError of an image that cannot be inspected.

        Raises:
            StorageError: an object store cannot be read now.
        """
        for one in self.stream(images):
            yield one.answer

    def stream(self, images: Iterable[Source]) -> Iterator[Inspected[Source]]:
        """Inspect any number of images like `predict_many`, and yield each with its pixels and answer."""
        at_once = self.runner.images_at_once
        return inspected(self.read, self.inspect_many, images, at_once)

    def read(self, image: GivenImage) -> Photograph:
        """Read one image as the model needs it, and say what is unusual, once for each kind of remark.

        Args:
            image: see `predict`.

        Raises:
            ImageError: see `predict`.
        """
        photograph = Photograph.read(readable(image), self.usual, self.size_limit)
        for kind, remark in photograph.remarks.items():
            if kind not in self._said:
                self._said.add(kind)
                warn(remark)
        return photograph

    def inspect(self, image: Photograph, started_at: float) -> Detection:
        """Inspect one image that `read` has read.

        Args:
            image: the image.
            started_at: Start of the image's duration, a reading of `time.perf_counter`.

        Raises:
            ImageError: the image is larger than the model can work on.
        """
        (answer,) = self.inspect_many([image], [started_at])
        if isinstance(answer, ImageError):
            raise answer
        return answer

    def inspect_many(
        self,
        images: Sequence[Photograph],
        started_at: Sequence[float],
        threshold: float | None = None,
    ) -> list[Detection | ImageError]:
        """Inspect several images, in batches where that is faster; return one answer each, in order.

        Args:
            images: Images that `read` has read, of any sizes.
            started_at: Start of each image's duration, a reading of `time.perf_counter`.
            threshold: Threshold to use instead of the calibrated one.

        Returns:
            A detection per image, or an ImageError for an image larger than the model can work on.
        """
        calibration = self.calibration
        if threshold is not None:
            calibration = calibration.model_copy(update={"threshold": threshold})
        refusals = [self.runner.refusal(one.image) for one in images]
        workable = [one.image for one, refusal in zip(images, refusals, strict=True) if not refusal]
        maps = iter(self.runner.maps(workable))
        return [
            refusal or Detection.of(next(maps), one, calibration, since)
            for one, refusal, since in zip(images, refusals, started_at, strict=True)
        ]

    def explain(self, image: GivenImage) -> Explanation:
        """Return the output of each part of the model; `predict` has the same arguments and errors.

        Raises:
            UsageError: the detector was loaded from an exported file; see `can_explain`.
        """
        return self.runner.explain(self.read(image).image)

    @property
    def can_explain(self) -> bool:
        """True if `explain` works: a run explains itself, an exported file draws only the map."""
        return self.runner.can_explain
