"""The losses of the three stages, one pure function per loss of the paper."""

from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol

import torch
from torch import Tensor

from rcae.base.plug_ins import Table
from rcae.model.paper.gradient import spatial_gradient

ANOMALY_WEIGHT = {"squared_error": 30.0, "cross_entropy": 10.0}
"""Weight of an anomalous pixel, where a normal one weighs 1 (our choice). One pixel in sixty is anomalous:
equal weights leave the map empty for hundreds of steps."""

LEAST_PROBABILITY = 1e-30
"""Lower limit of a probability; its logarithm is the worst that cross entropy says of a pixel."""

PixelTerm = Literal["squared_error", "cross_entropy"]
"""First term of the loss of stage 3; the paper has `squared_error`."""


class DetectionLoss(Protocol):
    """Loss of stage 3."""

    def __call__(
        self, anomaly_map: Tensor, mask: Tensor, *, averaged: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Return a scalar; the arguments are those of `detection_loss`."""


def reconstruction_loss(reconstruction: Tensor, image: Tensor) -> Tensor:
    """Return ||I - R||_1 + ||I' - R'||_1, the loss of stage 1 (R = I_R^n) and stage 2 (R = I_D^n).

    The norms are means over all elements (our choice: the loss does not change with image size).

    Args:
        reconstruction: R, [batch, channel, height, width].
        image: I, same shape.

    Returns:
        A scalar.
    """
    difference = reconstruction - image  # R' - I' = (R - I)'
    return difference.abs().mean() + spatial_gradient(difference).abs().mean()


def detection_loss(
    anomaly_map: Tensor,
    mask: Tensor,
    pixel_term: PixelTerm,
    *,
    averaged: Callable[[Tensor], Tensor] = lambda total: total,
) -> Tensor:
    """Return ||M_A - M_P||_2 + ||M_A' - M_P'||_2, the loss of stage 3.

    The norms are taken as mean squares (our choice). `cross_entropy` replaces the first term (our choice).
    The sigmoid leaves a squared error without slope where the map is wrong and sure of it. False alarms on
    good images come from there.

    Args:
        anomaly_map: M_A, [batch, height, width], 0..1.
        mask: M_P, the painted pseudo anomalies, same shape, 0 or 1.
        pixel_term: `squared_error`, as the paper has it, or `cross_entropy`.
        averaged: gives the mean of a scalar over the processes that share a batch. The mean of their
            losses is then the loss of the whole batch.

    Returns:
        A scalar.
    """
    if pixel_term == "squared_error":
        errors = (anomaly_map - mask).square()
    else:
        given_to_truth = torch.where(mask > 0.5, anomaly_map, 1.0 - anomaly_map)
        errors = -given_to_truth.clamp(min=LEAST_PROBABILITY).log()
    weight = 1.0 + (ANOMALY_WEIGHT[pixel_term] - 1.0) * mask
    gradients = spatial_gradient((anomaly_map - mask)[:, None])  # M_A' - M_P' = (M_A - M_P)'
    return (weight * errors).sum() / averaged(weight.sum()) + gradients.square().mean()


DETECTION_LOSSES: Table[DetectionLoss] = Table(
    "loss",
    "rcae.losses",
    Callable,  # type: ignore[arg-type]
    {
        "squared_error": partial(detection_loss, pixel_term="squared_error"),
        "cross_entropy": partial(detection_loss, pixel_term="cross_entropy"),
    },
)
"""Losses of stage 3 by their names."""
