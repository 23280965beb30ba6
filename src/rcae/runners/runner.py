"""What every runtime offers, and which one a path needs."""

from pathlib import Path
from typing import Protocol

from rcae.detection import Array, Explanation
from rcae.extras import require
from rcae.model_header import ModelHeader


class Runner(Protocol):
    """A loaded model that draws anomaly maps."""

    can_explain: bool
    """Whether `explain` works."""

    @property
    def header(self) -> ModelHeader:
        """What the model's file says beside the weights."""

    def draw(self, image: Array) -> Array:
        """The anomaly map of an image [height, width, 3], RGB in 0..1; higher is more anomalous.

        Returns:
            float32 [row, column], at working size or at the image's own.

        Raises:
            ImageError: the image is larger than the runner can work on.
        """

    def explain(self, image: Array) -> Explanation:
        """What each network made of an image [height, width, 3], RGB in 0..1.

        Raises:
            UsageError: the runner cannot.
        """


def open_runner(path: Path, device: str | None) -> Runner:
    """The runner for a run folder or its `model.safetensors`.

    Imports its runtime when it is opened.

    Raises:
        UsageError: there is no model at `path`.
        MissingExtraError: the runtime is not installed.
        CheckpointError: the file is damaged, was changed, or is not one of ours.
    """
    require("torch", "safetensors", purpose=f"{path}, a trained model,")
    from rcae.runners.torch_runner import TorchRunner

    return TorchRunner.open(path, device)
