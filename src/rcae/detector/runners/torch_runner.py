"""A run's own model, executed by torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch

from rcae.base.arrays import Array
from rcae.base.errors import UsageError
from rcae.detector.detection import Explanation
from rcae.detector.inference import explain, whole_map, working_maps
from rcae.detector.run.checkpoint import Model, load_model, weights_sha256
from rcae.detector.run.model_header import ModelHeader
from rcae.detector.run.run_folder import RunFolder


class TorchRunner:
    """The only runner that can also show what each network made of an image."""

    can_explain = True

    def __init__(self, model: Model, device: str | None = None) -> None:
        """Use a model already in memory, on `device` or else on the GPU if there is one.

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
        self._is_on_gpu = torch.device(device).type == "cuda"

    @classmethod
    def open(cls, path: Path, device: str | None) -> Self:
        """Load a run folder or its `model.safetensors`.

        Raises:
            UsageError, CheckpointError: as `rcae.detector.run.checkpoint.load_model` and `TorchRunner` raise.
        """
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
        return whole_map(self.model.system, self.header.working_view, image)

    def drawn_px(self, image: Array) -> tuple[int, int]:
        """See `Runner.drawn_px`."""
        return self.header.working_view.size_of(*image.shape[:2])

    def draw_many(self, images: Sequence[Array]) -> list[Array]:
        """See `Runner.draw_many`; at working size.

        Together on a GPU alone: a CPU is no faster so, and would round the sums of a batch otherwise, by
        about 1e-6, so that an image's score would depend on its neighbours.
        """
        if not self._is_on_gpu:
            return [self.draw(image) for image in images]
        seen = [self.header.working_view.see(image) for image in images]
        maps = working_maps(self.model.system, [one.image for one in seen])
        return [one.on_whole(drawn) for one, drawn in zip(seen, maps, strict=True)]

    def explain(self, image: Array) -> Explanation:
        """See `Runner.explain`."""
        seen = self.header.working_view.see(image)
        explained = explain(self.model.system, seen.image)
        steps = explained.reconstructions.items()
        restored = explained.restored
        return Explanation(
            image=seen.whole,
            reconstructions={step: seen.on_whole(drawn, seen.whole) for step, drawn in steps},
            restored=None if restored is None else seen.on_whole(restored, seen.whole),
            anomaly_map=seen.on_whole(explained.anomaly_map),
        )
