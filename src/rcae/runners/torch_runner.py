"""A run's own model, executed by torch."""

from pathlib import Path
from typing import Self

import torch

from rcae.checkpoint import Model, load_model, weights_sha256
from rcae.detection import Array, Explanation
from rcae.inference import explain, working_map
from rcae.model_header import ModelHeader
from rcae.run_folder import RunFolder


class TorchRunner:
    """The only runner that can also show what each network made of an image."""

    can_explain = True

    def __init__(self, model: Model, device: str | None = None) -> None:
        """Use a model already in memory, on `device` or else on the GPU if there is one."""
        self.model = model
        model.system.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))

    @classmethod
    def open(cls, path: Path, device: str | None) -> Self:
        """Load a run folder or its `model.safetensors`; errors as in `rcae.checkpoint.load_model`."""
        return cls(load_model(RunFolder(path).model if path.is_dir() else path), device)

    @property
    def header(self) -> ModelHeader:
        """See `Runner.header`."""
        return self.model.header

    @property
    def weights_sha256(self) -> str:
        """See `Runner.weights_sha256`."""
        return weights_sha256(self.model.system.state_dict())

    def draw(self, image: Array) -> Array:
        """See `Runner.draw`; at working size."""
        return working_map(self.model.system, self.header.working_view.of(image))

    def explain(self, image: Array) -> Explanation:
        """See `Runner.explain`."""
        return explain(self.model.system, self.header.working_view.of(image))
