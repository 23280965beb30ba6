"""From one image to its anomaly map at the image's own size, with a finished or unfinished model."""

from collections.abc import Sequence

import numpy as np
import torch

from rcae.base.arrays import Array
from rcae.data.images import resize
from rcae.data.view.working_view import WorkingView
from rcae.detector.detection import Explanation
from rcae.model.system import RcaeSystem
from rcae.model.tiles import blended, drawn_together


@torch.inference_mode()
def working_map(system: RcaeSystem, working_image: Array) -> Array:
    """The anomaly map of an image at working size, at that size: float32 [height, width].

    A large image is drawn tile by tile, so that the networks' memory does not grow with it.
    """

    def draw(part: Array) -> list[Array]:
        return [system(as_tensor(part, system))[0].cpu().numpy()]

    return _with_thumbnail(system, blended(working_image, draw)[0], working_image)


@torch.inference_mode()
def working_maps(system: RcaeSystem, working_images: Sequence[Array]) -> list[Array]:
    """As `working_map` for images of equal size, several at once where they are small."""
    maps: list[Array] = []
    for part in drawn_together(working_images):
        if len(part) == 1:
            maps.append(working_map(system, part[0]))
        else:
            batch = torch.cat([as_tensor(image, system) for image in part])
            maps += [*system.with_thumbnail(system(batch), batch).cpu().numpy()]
    return maps


def whole_map(system: RcaeSystem, working_view: WorkingView, image: Array) -> Array:
    """As `anomaly_map`, of the whole image at working size."""
    seen = working_view.see(image)
    return seen.on_whole(working_map(system, seen.image))


def anomaly_map(system: RcaeSystem, working_view: WorkingView, image: Array) -> Array:
    """The anomaly map of an image, enlarged to the image's own size.

    Args:
        system: in evaluation mode.
        working_view: the model's rule.
        image: [height, width, 3], float32, RGB in 0..1.

    Returns:
        [height, width] float32; higher is more anomalous.
    """
    return resize(whole_map(system, working_view, image), *image.shape[:2])


@torch.inference_mode()
def explain(system: RcaeSystem, working_image: Array) -> Explanation:
    """The recursion of one image, step by step; `working_image` is already at working size.

    A large image is drawn tile by tile, as in `working_map`.
    """

    def draw(part: Array) -> list[Array]:
        batch = as_tensor(part, system)
        height, width = batch.shape[2:]
        sequences = system.sequences(system.pad(batch))
        steps = torch.cat([sequences.reconstructions[0], sequences.refined[0, -1:]])
        cropped = steps[:, :, :height, :width].permute(0, 2, 3, 1).cpu().numpy()
        return [*cropped, system(batch)[0].cpu().numpy()]

    *reconstructions, restored, anomaly_map = blended(working_image, draw)
    return Explanation(
        image=working_image,
        reconstructions=dict(zip(system.settings.used_steps, reconstructions, strict=True)),
        restored=restored if system.detail is not None else None,
        anomaly_map=_with_thumbnail(system, anomaly_map, working_image),
    )


def _with_thumbnail(system: RcaeSystem, drawn: Array, image: Array) -> Array:
    """As `RcaeSystem.with_thumbnail`, of one whole image."""
    whole = as_tensor(image, system)
    completed = system.with_thumbnail(torch.from_numpy(drawn)[None].to(whole.device), whole)
    return completed[0].cpu().numpy()


def as_tensor(image: Array, system: RcaeSystem) -> torch.Tensor:
    """An image [height, width, 3] as the batch of one that `system` takes, on its device."""
    device = next(system.parameters()).device
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].to(device)
