"""Runner for the model of a run, by torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch

from rcae.base.arrays import Array
from rcae.base.errors import UsageError
from rcae.detector.detection import Explanation
from rcae.detector.run.checkpoint import Model, load_model, weights_sha256
from rcae.detector.run.model_header import ModelHeader
from rcae.detector.run.run_folder import RunFolder
from rcae.detector.runners.torch_maps import explain, maps

IMAGES_AT_ONCE_ON_GPU = 16
"""Largest batch that a GPU is given (our choice)."""


class TorchRunner:
    """Runner for the model of a run; no other runner can explain an image by each network's output."""

    can_explain = True

    @property
    def images_at_once(self) -> int:
        """See `Runner.images_at_once`."""
        is_on_gpu = next(self.model.system.parameters()).device.type == "cuda"
        return IMAGES_AT_ONCE_ON_GPU if is_on_gpu else 1

    def __init__(self, model: Model, device: str | None = None) -> None:
        """Use a model in memory, on `device`; without one, on the GPU if there is one, else on the CPU.

        Raises:
            UsageError: PyTorch knows no such device, or it is not there.
        """
        self.model = model
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            model.system.to(device)
        except (AssertionError, RuntimeError) as error:
            raise UsageError(
                f"PyTorch cannot use the device '{device}' ({str(error).splitlines()[0]}); give one that "
                "this machine has, like 'cpu' or 'cuda', or leave it out."
            ) from error

    @classmethod
    def open(cls, path: Path, device: str | None, threads: int | None = None) -> Self:
        """Load a run folder or its `model.safetensors`; `threads` holds for PyTorch in the whole process.

        Raises:
            UsageError, CheckpointError: the errors of `load_model` and `TorchRunner`.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        return cls(load_model(RunFolder(path).model if path.is_dir() else path), device)

    @property
    def header(self) -> ModelHeader:
        """See `Runner.header`."""
        return self.model.header

    @property
    def weights_sha256(self) -> str:
        """See `Runner.weights_sha256`."""
        return weights_sha256(self.model.system.state_dict())

    @property
    def executed_sha256(self) -> str:
        """See `Runner.executed_sha256`."""
        return self.weights_sha256

    def refusal(self, image: Array) -> None:
        """Refuse no image: tiles draw images of any size."""

    def maps(self, images: Sequence[Array]) -> list[Array]:
        """See `Runner.maps`; at working size."""
        return maps(self.model.system, self.header.working_view, images)

    def explain(self, image: Array) -> Explanation:
        """See `Runner.explain`."""
        return explain(self.model.system, self.header.working_view.see(image))
