"""Anomaly maps of images, by networks in memory; the model may be finished or in training."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rcae.base.arrays import Array
from rcae.data.view.working_view import Seen, WorkingView
from rcae.detector.detection import Explanation
from rcae.model.system import RcaeSystem
from rcae.model.tiles import blended, drawn_together


@torch.inference_mode()
def maps(system: nn.Module, working_view: WorkingView, images: Sequence[Array]) -> list[Array]:
    """Return the finished anomaly map of each image, of the whole image at working size.

    A GPU draws images together that have the same size for the networks. A CPU is no faster with batches,
    and rounds their sums differently, by about 1e-6: a score would depend on its neighbours.

    Args:
        system: Networks in evaluation mode.
        working_view: View of the model.
        images: [height, width, 3] each, float32, RGB in 0..1, of any sizes.

    Returns:
        float32 [row, column] each; higher is more anomalous.
    """
    if next(system.parameters()).device.type != "cuda":
        return [_map(system, working_view.see(image)) for image in images]
    seen = [working_view.see(image) for image in images]
    drawn: dict[int, Array] = {}
    for places in _by_size(seen):
        for part in drawn_together(len(places), *seen[places[0]].image.shape[:2]):
            batch = torch.cat([as_batch(seen[place].image, system) for place in places[part]])
            drawn |= dict(zip(places[part], system(batch).cpu().numpy(), strict=True))
    return [one.on_whole(drawn[place]) for place, one in enumerate(seen)]


@torch.inference_mode()
def explain(system: RcaeSystem, seen: Seen) -> Explanation:
    """Return the recursion of one image, step by step, on the whole image at working size.

    A large image is drawn tile by tile.
    """
    batch = as_batch(seen.image, system)

    def draw(part: Tensor) -> list[Tensor]:
        height, width = part.shape[2:]
        sequences = system.sequences(system.pad(part))
        steps = torch.cat([sequences.reconstructions[0], sequences.refined[0, -1:]])
        return [*steps[:, :, :height, :width]]

    *reconstructions, restored = (
        seen.on_whole(step.permute(1, 2, 0).cpu().numpy(), seen.whole)
        for step in blended(batch, draw)
    )
    return Explanation(
        image=seen.whole,
        reconstructions=dict(zip(system.settings.used_steps, reconstructions, strict=True)),
        restored=restored if system.detail is not None else None,
        anomaly_map=_map(system, seen),
    )


def as_batch(image: Array, system: nn.Module) -> Tensor:
    """Return an image [height, width, 3] as the batch of one that `system` takes, on its device."""
    device = next(system.parameters()).device
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].to(device)


def _map(system: nn.Module, seen: Seen) -> Array:
    return seen.on_whole(system(as_batch(seen.image, system))[0].cpu().numpy())


def _by_size(seen: Sequence[Seen]) -> list[list[int]]:
    """Group the places of images that have the same size for the networks."""
    places = defaultdict(list)
    for place, one in enumerate(seen):
        places[one.image.shape].append(place)
    return list(places.values())
