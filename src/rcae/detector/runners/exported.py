"""Common parts of exported files of every format: names in the graph, metadata, drawing of a map."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rcae.base.arrays import Array
from rcae.base.errors import CheckpointError, ImageError, UsageError
from rcae.detector.detection import Explanation
from rcae.detector.run.model_header import ModelHeader, incomplete
from rcae.model.tiles import blended

FORMAT = "rcae-export-5"
METADATA_KEY = "rcae"
IMAGES, THRESHOLD = "images", "threshold"
OUTPUTS = ("anomaly_map", "anomaly_score", "is_defective")
LARGEST_PIXELS = 4_000_000
"""Most pixels of a working image that is drawn at once: about what fits in 6 GiB with preset `quick`."""
LARGEST_WEIGHTS = 100_000_000
"""Most weights of a matrix that resizes one side: old length times new length; 400 MB."""


@dataclass(frozen=True)
class ExportRecord:
    """Record that an exported file holds about itself."""

    header: ModelHeader
    precision: str
    """Precision: "fp32", "fp16" or "int8"."""
    weights_sha256: str
    """Hash of the exported model's weights, see `rcae.detector.run.checkpoint.weights_sha256`."""
    exported_with: dict[str, str]
    """Versions of this package and of PyTorch."""

    def to_text(self) -> str:
        """Return the text for the file's metadata."""
        plain = {**self.__dict__, "header": self.header.to_plain(), "format": FORMAT}
        return json.dumps(plain, sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None, path: Path) -> Self:
        """Read the text that `to_text` wrote.

        Raises:
            CheckpointError: the file was not written by 'rcae export', or by another version of it.
        """
        try:
            plain = json.loads(text or "{}")
            is_ours = plain.pop("format", None) == FORMAT
        except (json.JSONDecodeError, AttributeError, TypeError):
            is_ours = False
        if not is_ours:
            raise CheckpointError(
                f"{path} was not written by 'rcae export' of this version (format '{FORMAT}'); export "
                "the run again."
            )
        try:
            return cls(**{**plain, "header": ModelHeader.from_plain(plain["header"], path)})
        except (KeyError, TypeError) as error:
            raise incomplete(path, error) from error


class ExportedRunner(ABC):
    """Runner for an exported file; each subclass knows one runtime. It needs neither torch nor the run."""

    can_explain = False
    images_at_once = 1

    def __init__(self, record: ExportRecord, executed_sha256: str) -> None:
        self.record = record
        self.executed_sha256 = executed_sha256
        """See `Runner.executed_sha256`."""
        self._inputs = {THRESHOLD: np.array(record.header.calibration.threshold, np.float32)}

    @property
    def header(self) -> ModelHeader:
        """See `Runner.header`."""
        return self.record.header

    @property
    def weights_sha256(self) -> str:
        """See `Runner.weights_sha256`; the file states that of its run."""
        is_another = self.record.precision == "int8"  # its scores differ from those of the run
        return self.executed_sha256 if is_another else self.record.weights_sha256

    def refusal(self, image: Array) -> ImageError | None:
        """Refuse an image that is too large to draw at once; see `Runner.refusal`.

        An image drawn in tiles has no limit. Any other may have LARGEST_PIXELS at working size, and need
        LARGEST_WEIGHTS to resize one side.
        """
        if self._draws_tiles:
            return None
        working_view = self.header.working_view
        height, width = working_view.size_of(*image.shape[:2])
        if height * width > LARGEST_PIXELS:
            return ImageError(
                f"an image of {image.shape[1]}x{image.shape[0]} px would be worked on at "
                f"{width}x{height} px, more than the {LARGEST_PIXELS / 1e6:.0f} megapixels that an "
                "exported file draws at once; inspect it with the run, which draws tiles."
            )
        longest, drawn = max(image.shape[:2]), max(height, width)
        if not working_view.keeps_size and longest * drawn > LARGEST_WEIGHTS:
            return ImageError(
                f"an image of {image.shape[1]}x{image.shape[0]} px has a side of {longest} px, which an "
                f"exported file would need {longest * drawn / 1e6:.0f} million weights to resize to "
                f"{drawn}, more than {LARGEST_WEIGHTS / 1e6:.0f} million; inspect it with the run."
            )
        return None

    def maps(self, images: Sequence[Array]) -> list[Array]:
        """See `Runner.maps`; at the image's own size, one after the other."""
        return [self._map(image) for image in images]

    def explain(self, image: Array) -> Explanation:  # noqa: ARG002
        """See `Runner.explain`."""
        raise UsageError("an exported model cannot explain itself; load the run folder instead.")

    @property
    def _draws_tiles(self) -> bool:
        """True if a large image is drawn tile by tile: the model must see the image unchanged."""
        return self.header.working_view.keeps_image

    def _map(self, image: Array) -> Array:
        if not self._draws_tiles:
            return self._executed(image)
        channels_first = image.transpose(2, 0, 1)
        return blended(channels_first, lambda part: [self._executed(part.transpose(1, 2, 0))])[0]

    def _executed(self, image: Array) -> Array:
        drawn: Array = self.execute({IMAGES: as_bytes(image), **self._inputs})[0]
        return drawn

    @abstractmethod
    def execute(self, inputs: dict[str, NDArray[Any]]) -> Array:
        """Return the graph's output `anomaly_map`, [batch, height, width], for its two inputs."""


def content_of(path: Path) -> list[bytes]:
    """Read an exported file, and the `.bin` beside an `.xml`, for a runtime to open these very bytes.

    Raises:
        CheckpointError: a file cannot be read.
    """
    files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    try:
        return [file.read_bytes() for file in files]
    except OSError as error:
        raise CheckpointError(
            f"{error.filename} cannot be read ({error.strerror}); export the run again, and keep the .bin "
            "file of an .xml file beside it."
        ) from error


def sha256_of(content: Sequence[bytes]) -> str:
    """Return SHA-256, in hex, over the files that `content_of` read, one after the other."""
    return hashlib.sha256(b"".join(content)).hexdigest()


def as_bytes(image: Array) -> NDArray[np.uint8]:
    """Turn an image [height, width, 3] in 0..1 into the graph's input: uint8 [1, height, width, 3].

    The values are exact for 8-bit images; images with more bits are rounded to 8 bits.
    """
    return np.rint(image[None] * 255).astype(np.uint8)
