"""Interface of every runner, and the choice of the runner for a path."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rcae.base.arrays import Array
from rcae.base.errors import ImageError, UsageError
from rcae.base.extras import require
from rcae.detector.detection import Explanation
from rcae.detector.run.model_header import ModelHeader
from rcae.detector.runners.exported import ExportedRunner

EXPORTED_SUFFIXES = (".onnx", ".xml")


class Runner(Protocol):
    """Interface of an object that executes a loaded model."""

    can_explain: bool
    """True if `explain` works."""

    @property
    def images_at_once(self) -> int:
        """Number of images that are drawn faster together than alone; 1 if none are."""

    @property
    def header(self) -> ModelHeader:
        """All that the model's file holds beside the weights."""

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights, which names the model to thresholds, drift and history.

        An exported file has that of its run; int8 has one of its own, because its scores differ.
        """

    @property
    def executed_sha256(self) -> str:
        """SHA-256 of what is executed: of the weights of a run, of the bytes of an exported file."""

    def refusal(self, image: Array) -> ImageError | None:
        """Return the error for an image [height, width, 3] that cannot be drawn; None if it can."""

    def maps(self, images: Sequence[Array]) -> list[Array]:
        """Return the finished anomaly map of each image; there is no other way from pixels to a map.

        Args:
            images: [height, width, 3] each, RGB in 0..1, of any sizes; none has a `refusal`.

        Returns:
            float32 [row, column] each, at working size or at the image's own; higher is more anomalous.
        """

    def explain(self, image: Array) -> Explanation:
        """Return the output of each network for an image [height, width, 3], RGB in 0..1.

        Raises:
            UsageError: the runner cannot explain.
        """


def open_runner(path: Path, device: str | None, threads: int | None = None) -> Runner:
    """Open the runner for a run folder, a `model.safetensors`, an `.onnx` or an OpenVINO `.xml` file.

    Each runner imports its runtime when it is opened: a machine needs only the runtime that it uses.

    Raises:
        UsageError: there is no model at `path`, `threads` is below 1, or `device` is given for an exported
            file.
        MissingExtraError: the runtime is not installed.
        CheckpointError: the file is damaged, was changed, or was not written by rcae.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"{threads} threads are not possible; give 1 or more, or leave them out.")
    if path.suffix in EXPORTED_SUFFIXES:
        return open_exported(path, device, threads)
    require("torch", "safetensors", purpose=f"{path}, a trained model,")
    from rcae.detector.runners.torch_runner import TorchRunner

    return TorchRunner.open(path, device, threads)


def open_exported(
    path: Path, device: str | None = None, threads: int | None = None
) -> ExportedRunner:
    """Open the runner for a file that 'rcae export' wrote; the errors are those of `open_runner`."""
    if path.suffix not in EXPORTED_SUFFIXES:
        raise UsageError(
            f"{path} does not end in {' or '.join(EXPORTED_SUFFIXES)}; give a file that 'rcae "
            "export' wrote."
        )
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give a file that 'rcae export' wrote.")
    if device is not None:
        raise UsageError(
            f"{path} is an exported model, which runs on the CPU; leave the device out."
        )
    if path.suffix == EXPORTED_SUFFIXES[0]:
        from rcae.detector.runners.onnx_runner import OnnxRunner

        return OnnxRunner(path, threads)
    from rcae.detector.runners.openvino_runner import OpenvinoRunner

    return OpenvinoRunner(path, threads)
