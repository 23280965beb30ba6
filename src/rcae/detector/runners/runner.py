"""What every runtime offers, and which one a path needs."""

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
    """What executes a loaded model."""

    can_explain: bool
    """Whether `explain` works."""

    @property
    def header(self) -> ModelHeader:
        """What the model's file says beside the weights."""

    @property
    def weights_sha256(self) -> str:
        """Of the model's weights; an exported file has that of its run."""

    def refusal(self, image: Array) -> ImageError | None:
        """Why an image [height, width, 3] cannot be drawn; None where it can."""

    def maps(self, images: Sequence[Array]) -> list[Array]:
        """The finished anomaly map of each image; the one way from pixels to a map.

        Args:
            images: [height, width, 3] each, RGB in 0..1, of any sizes; none has a `refusal`.

        Returns:
            float32 [row, column] each, at working size or at the image's own; higher is more anomalous.
        """

    def explain(self, image: Array) -> Explanation:
        """What each network made of an image [height, width, 3], RGB in 0..1.

        Raises:
            UsageError: the runner cannot.
        """


def open_runner(path: Path, device: str | None) -> Runner:
    """The runner for a run folder, a `model.safetensors`, an `.onnx` or an OpenVINO `.xml` file.

    Each imports its runtime when it is opened: a machine needs only the one it uses.

    Raises:
        UsageError: there is no model at `path`, or `device` is given for an exported file.
        MissingExtraError: the runtime is not installed.
        CheckpointError: the file is damaged, was changed, or is not one of ours.
    """
    if path.suffix in EXPORTED_SUFFIXES:
        return open_exported(path, device)
    require("torch", "safetensors", purpose=f"{path}, a trained model,")
    from rcae.detector.runners.torch_runner import TorchRunner

    return TorchRunner.open(path, device)


def open_exported(path: Path, device: str | None = None) -> ExportedRunner:
    """The runner for a file that 'rcae export' wrote; errors as in `open_runner`."""
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

        return OnnxRunner(path)
    from rcae.detector.runners.openvino_runner import OpenvinoRunner

    return OpenvinoRunner(path)
