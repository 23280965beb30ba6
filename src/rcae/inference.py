"""From one image to its anomaly map at the image's own size, with a finished or unfinished model."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rcae.data.images import resize
from rcae.data.working_size import WorkingSize
from rcae.model.system import RcaeSystem

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Explanation:
    """What each part of the model made of one image, at working size."""

    image: Array
    """The working image, [height, width, 3], 0..1."""
    reconstructions: dict[int, Array]
    """I_R^n by n, for the steps used; each [height, width, 3], not clipped."""
    restored: Array | None
    """I_D^n of the last step used, [height, width, 3]; None without a detail network."""
    anomaly_map: Array
    """[height, width], smoothed."""


@torch.inference_mode()
def working_map(system: RcaeSystem, working_image: Array) -> Array:
    """The anomaly map of an image at working size, at that size: float32 [height, width]."""
    values: Array = system(as_tensor(working_image, system))[0].cpu().numpy()
    return values


def anomaly_map(system: RcaeSystem, working_size: WorkingSize, image: Array) -> Array:
    """The anomaly map of an image, enlarged to the image's own size.

    Args:
        system: in evaluation mode.
        working_size: the model's rule.
        image: [height, width, 3], float32, RGB in 0..1.

    Returns:
        [height, width] float32; higher is more anomalous.

    Raises:
        ImageError: the working image would not fit in memory.
    """
    return resize(working_map(system, working_size.shrink(image)), *image.shape[:2])


@torch.inference_mode()
def explain(system: RcaeSystem, working_image: Array) -> Explanation:
    """The recursion of one image, step by step; `working_image` is already at working size."""
    batch = as_tensor(working_image, system)
    height, width = batch.shape[2:]
    sequences = system.sequences(system.pad(batch))

    def cropped(steps: torch.Tensor) -> list[Array]:
        return list(steps[0, :, :, :height, :width].permute(0, 2, 3, 1).cpu().numpy())

    used_steps = system.settings.used_steps
    return Explanation(
        image=working_image,
        reconstructions=dict(zip(used_steps, cropped(sequences.reconstructions), strict=True)),
        restored=cropped(sequences.refined)[-1] if system.detail is not None else None,
        anomaly_map=system(batch)[0].cpu().numpy(),
    )


def as_tensor(image: Array, system: RcaeSystem) -> torch.Tensor:
    """An image [height, width, 3] as the batch of one that `system` takes, on its device."""
    device = next(system.parameters()).device
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].to(device)
