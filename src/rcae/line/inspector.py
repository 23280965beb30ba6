"""One loaded model at the line: it inspects each image and records the result before it answers."""

import getpass
import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from rcae.base.arrays import Array
from rcae.base.errors import ImageError, StorageError
from rcae.base.progress import say
from rcae.data.image_files import ImageContent
from rcae.data.photograph import Photograph
from rcae.detector.detection import Detection
from rcae.detector.detector import Detector
from rcae.line.record.changes import Loaded
from rcae.line.record.inspection import Inspection
from rcae.line.record.kept_images import KeptImages
from rcae.line.record.record import Record

IMAGES_AT_ONCE = 8
PIXELS_AT_ONCE = 16_000_000
"""Largest number of pixels decoded together, about 200 MiB; a single larger image is decoded alone."""


@dataclass(frozen=True)
class Arrival:
    """An image file as it arrived."""

    source: str
    """Origin of the image, for people: an uploaded file's name, a path, a camera's frame."""
    content: bytes
    id: str | None = None
    """Id of its inspection, or None for a new one; one that is recorded already is not recorded again."""


@dataclass(frozen=True)
class _Decoded:
    place: int
    """Index of the image among the arrivals."""
    photograph: Photograph
    started_at: float


@dataclass(frozen=True)
class _Found:
    """Result of one image, as far as it is kept."""

    inspection: Inspection
    working_map: Array


class Inspector:
    """Inspector that decides by the last applied threshold of its model, or by its calibration.

    An applied threshold is valid only for the calibrated threshold that it replaced.
    It is read from the record before every batch, so that all processes on one record agree.
    """

    def __init__(
        self, name: str, detector: Detector, record: Record, kept_images: KeptImages
    ) -> None:
        """Warn if the last applied threshold is not valid for this calibration.

        Raises:
            StorageError: the record cannot be read.
        """
        self.name = name
        self.detector = detector
        self.model_sha256 = detector.runner.weights_sha256
        self.executed_sha256 = detector.runner.executed_sha256
        self.pictures_not_kept = 0
        """Number of inspections since the start whose picture could not be kept."""
        self._record = record
        self._kept_images = kept_images
        self._could_keep = True
        self._loaded = Loaded(
            name, self.model_sha256, self.executed_sha256, detector.calibration.threshold
        )
        record.changes.note_model(self._loaded, _user(), datetime.now(UTC))
        self._say_what_holds_no_more()

    @property
    def threshold(self) -> float:
        """Threshold in force now.

        Raises:
            StorageError: the record cannot be read.
        """
        calibrated = self.detector.calibration.threshold
        applied = self._record.threshold(self.model_sha256, calibrated)
        return calibrated if applied is None else applied

    def apply_threshold(self, threshold: float, author: str, reason: str) -> None:
        """Apply this threshold from the next image on, in every process on this record.

        Raises:
            UsageError: the threshold lies outside `Calibration.threshold_range`.
            StorageError: the record refused; nothing changed.
        """
        calibration = self.detector.calibration
        calibration.require_threshold(threshold)
        self._record.apply_threshold(
            self.model_sha256, threshold, calibration.threshold, author, reason
        )

    def acknowledge_drift(self, author: str, reason: str) -> None:
        """Note that a person knows of the drift; it is observed anew from the next image on.

        Raises:
            StorageError: the record refused; nothing changed.
        """
        self._record.changes.acknowledge_drift(self._loaded, author, reason, datetime.now(UTC))

    def inspect(self, arrivals: Sequence[Arrival]) -> list[Inspection | ImageError]:
        """Inspect the images and return one answer each, in order.

        Every inspection is on disk before this returns.
        A full disk does not fail an inspection: its picture is dropped, and a warning is printed once.

        Raises:
            StorageError: the record refused; no inspection was recorded, and the call can be retried.
        """
        threshold = self.threshold
        found: dict[int, _Found | ImageError] = {}
        for decoded in self._decoded(arrivals, found):
            detections = self.detector.inspect_many(
                [one.photograph for one in decoded], [one.started_at for one in decoded], threshold
            )
            for one, detection in zip(decoded, detections, strict=True):
                found[one.place] = (
                    detection
                    if isinstance(detection, ImageError)
                    else _Found(
                        self._inspection(arrivals[one.place], detection), detection.working_map
                    )
                )
        self._keep_reserve()
        inspected = {p: one for p, one in sorted(found.items()) if isinstance(one, _Found)}
        recorded = self._record.add([one.inspection for one in inspected.values()])
        numbered = dict(zip(inspected, recorded, strict=True))
        for place, inspection in numbered.items():
            self._keep(inspection, arrivals[place].content, inspected[place].working_map)
        failed = {place: one for place, one in found.items() if isinstance(one, ImageError)}
        answers: dict[int, Inspection | ImageError] = {**numbered, **failed}
        return [answers[place] for place in range(len(arrivals))]

    def _say_what_holds_no_more(self) -> None:
        for last in self._record.applied_thresholds(self.model_sha256)[-1:]:
            if last.calibrated_threshold != self.detector.calibration.threshold:
                say(
                    f"{self.name}: the threshold {last.threshold:g}, which {last.author} applied, was not "
                    f"chosen against this calibration; {self.threshold:g} decides. Apply another on the "
                    "page of 'rcae serve' if it should not."
                )

    def _decoded(
        self, arrivals: Sequence[Arrival], found: dict[int, _Found | ImageError]
    ) -> Iterator[list[_Decoded]]:
        """Yield decoded images, a few at a time; an undecodable image goes to `found` with its error."""
        decoded: list[_Decoded] = []
        for place, arrival in enumerate(arrivals):
            started_at = time.perf_counter()
            try:
                image = self.detector.read(ImageContent(arrival.source, arrival.content))
            except ImageError as error:
                found[place] = error
                continue
            decoded.append(_Decoded(place, image, started_at))
            pixels = sum(one.photograph.image.size // 3 for one in decoded)
            if len(decoded) == IMAGES_AT_ONCE or pixels >= PIXELS_AT_ONCE:
                yield decoded
                decoded = []
        if decoded:
            yield decoded

    def _inspection(self, arrival: Arrival, detection: Detection) -> Inspection:
        return Inspection.of(
            detection,
            id=arrival.id,
            source=arrival.source,
            image_sha256=hashlib.sha256(arrival.content).hexdigest(),
            model=self.name,
            model_sha256=self.model_sha256,
            executed_sha256=self.executed_sha256,
        )

    def _keep_reserve(self) -> None:
        with suppress(StorageError):  # the record or the picture says what is wrong
            self._kept_images.keep_reserve()

    def _keep(self, inspection: Inspection, image: bytes, working_map: Array) -> None:
        try:
            self._kept_images.keep(inspection, image, working_map)
            self._could_keep = True
        except StorageError as error:
            self.pictures_not_kept += 1
            if self._could_keep:
                self._could_keep = False
                say(f"Inspections are recorded, but their pictures are not kept: {error}")


def _user() -> str:
    """Return the system user of this process; a container may have none of a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown user"
