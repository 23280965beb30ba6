import math
from functools import partial

import numpy as np
import pytest
import torch

from rcae.model.paper.gradient import spatial_gradient
from rcae.model.paper.losses import (
    ANOMALY_WEIGHT,
    detection_loss,
    reconstruction_loss,
)


def test_the_gradient_is_the_forward_difference_in_both_directions():
    image = torch.tensor([[1.0, 4.0, 9.0], [1.0, 5.0, 2.0]])[None, None]
    horizontal, vertical = spatial_gradient(image)[0]
    assert horizontal.tolist() == [[3, 5, 0], [4, -3, 0]]
    assert vertical.tolist() == [[0, 1, -7], [0, 0, 0]]


def test_the_gradient_keeps_channels_apart():
    image = torch.rand(2, 3, 4, 5)
    one = torch.cat([spatial_gradient(image[:, 1:2])], dim=1)
    torch.testing.assert_close(spatial_gradient(image)[:, [1, 4]], one)


def test_the_reconstruction_loss_equals_a_case_worked_by_hand():
    image = torch.zeros(1, 1, 2, 2)
    reconstruction = torch.tensor([[1.0, 0.0], [0.0, 0.0]])[None, None]
    # Pixels: |1| / 4. Gradients: horizontal -1, vertical -1, six zeros: 2 / 8.
    assert reconstruction_loss(reconstruction, image).item() == pytest.approx(0.25 + 0.25)


def test_the_reconstruction_loss_equals_a_numpy_loop():
    random = np.random.default_rng(0)
    a, b = random.random((2, 2, 3, 5, 4))
    total = np.abs(a - b).sum() / a.size
    steps = 0.0
    for index in np.ndindex(*a.shape):
        for axis in (2, 3):
            after = list(index)
            after[axis] += 1
            if after[axis] < a.shape[axis]:
                after = tuple(after)
                steps += abs((a[after] - a[index]) - (b[after] - b[index]))
    expected = total + steps / (2 * a.size)
    assert reconstruction_loss(torch.from_numpy(a), torch.from_numpy(b)).item() == pytest.approx(
        expected
    )


def test_the_detection_loss_equals_a_case_worked_by_hand():
    mask = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])
    anomaly_map = torch.tensor([[[0.5, 0.0], [0.0, 1.0]]])
    # Pixels: 0.25 (or -ln 0.5) at weight 1, of 3 normal pixels and one anomalous.
    # Gradients: -0.5 and -0.5 of 8 values: 0.5 / 8.
    for pixel_term, error in (("squared_error", 0.25), ("cross_entropy", math.log(2))):
        expected = error / (3 + ANOMALY_WEIGHT[pixel_term]) + 0.5 / 8
        assert detection_loss(anomaly_map, mask, pixel_term).item() == pytest.approx(expected)


def test_a_missed_anomalous_pixel_costs_more_than_a_false_one():
    mask, empty = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    mask[0, 1, 1] = 1.0
    missed = detection_loss(empty, mask, "squared_error").item()
    false = detection_loss(mask, empty, "squared_error").item()
    gradients, weight = 4 / 32, ANOMALY_WEIGHT["squared_error"]
    assert missed - gradients == pytest.approx(weight / (15 + weight))
    assert false - gradients == pytest.approx(1 / 16)


@pytest.mark.parametrize("pixel_term", ["squared_error", "cross_entropy"])
def test_the_detection_loss_equals_a_numpy_loop(pixel_term):
    random = np.random.default_rng(0)
    made, mask = random.random((2, 5, 4)), random.integers(0, 2, (2, 5, 4)).astype(float)
    pixels = weights = steps = 0.0
    for index in np.ndindex(*made.shape):
        weight = ANOMALY_WEIGHT[pixel_term] if mask[index] else 1.0
        surprise = -math.log(made[index] if mask[index] else 1 - made[index])
        squared = (made[index] - mask[index]) ** 2
        pixels += weight * (squared if pixel_term == "squared_error" else surprise)
        weights += weight
        for axis in (1, 2):
            after = list(index)
            after[axis] += 1
            if after[axis] < made.shape[axis]:
                after = tuple(after)
                steps += ((made[after] - made[index]) - (mask[after] - mask[index])) ** 2
    expected = pixels / weights + steps / (2 * made.size)
    loss = detection_loss(torch.from_numpy(made), torch.from_numpy(mask), pixel_term).item()
    assert loss == pytest.approx(expected)


def test_a_sure_mistake_still_has_a_slope_with_cross_entropy():
    slopes = {}
    for pixel_term in ("squared_error", "cross_entropy"):
        before_sigmoid = torch.full((1, 4, 4), 8.0, requires_grad=True)
        detection_loss(before_sigmoid.sigmoid(), torch.zeros(1, 4, 4), pixel_term).backward()
        slopes[pixel_term] = before_sigmoid.grad.abs().mean().item() * 16
    assert slopes["squared_error"] < 0.001 < 0.9 < slopes["cross_entropy"]


@pytest.mark.parametrize(
    ("loss", "shape"),
    [
        (reconstruction_loss, (1, 3, 4, 4)),
        (partial(detection_loss, pixel_term="squared_error"), (1, 4, 4)),
        (partial(detection_loss, pixel_term="cross_entropy"), (1, 4, 4)),
    ],
)
def test_a_perfect_match_has_a_finite_slope(loss, shape):
    made = torch.zeros(shape, requires_grad=True)
    loss(made, torch.zeros(shape)).backward()
    assert made.grad.isfinite().all()
