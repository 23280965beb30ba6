"""A coreset of points: a few of them, spread so that every point has one of them nearby."""

import torch
from torch import Tensor

PROJECTED = 32
"""Points are compared in so many random directions, as PatchCore's authors do; distances stay alike."""
NEIGHBOURS = 8
"""Neighbours whose mean distance is the radius of a point (our choice)."""


def coreset(points: Tensor, count: int) -> Tensor:
    """Choose points one by one, each the farthest from those before it.

    The greedy k-centre algorithm of PatchCore (Roth et al., 2022). Rare good patches are chosen as surely as
    frequent ones.

    Args:
        points: [point, channel], at least one, in random order. The first one is chosen.
        count: number to choose, at most the number of points.

    Returns:
        Their places, int64 [count], in the order of choice.
    """
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(points.shape[1], PROJECTED, generator=generator)
    projected = points @ directions.to(points)
    lengths = projected.square().sum(dim=1)
    chosen = torch.zeros(count, dtype=torch.int64, device=points.device)
    distance = torch.full_like(lengths, torch.inf)
    for place in range(1, count):
        latest = chosen[place - 1]
        # |p - q|^2 = |p|^2 - 2 p q + |q|^2
        squared = lengths - 2 * (projected @ projected[latest]) + lengths[latest]
        distance = torch.minimum(distance, squared)
        chosen[place] = distance.argmax()
    return chosen


def radii(points: Tensor) -> Tensor:
    """Return the mean distance of each point from its nearest neighbours, [point].

    Args:
        points: [point, channel]. A single point has radius 0.
    """
    count = min(NEIGHBOURS, len(points) - 1)
    if count == 0:
        return points.new_zeros(1)
    nearest = torch.cdist(points, points).topk(count + 1, dim=1, largest=False).values
    return nearest[:, 1:].mean(dim=1)
