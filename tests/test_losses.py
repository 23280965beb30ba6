import numpy as np
import pytest
import torch

from rcae.gradient import spatial_gradient
from rcae.losses import ANOMALY_WEIGHT, detection_loss, reconstruction_loss


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
    # Pixels: 0.25 at weight 1, of 3 normal pixels and one anomalous: 0.25 / (3 + weight).
    # Gradients: -0.5 and -0.5 of 8 values: 0.5 / 8.
    expected = 0.25 / (3 + ANOMALY_WEIGHT) + 0.5 / 8
    assert detection_loss(anomaly_map, mask).item() == pytest.approx(expected)


def test_a_missed_anomalous_pixel_costs_more_than_a_false_one():
    mask, empty = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    mask[0, 1, 1] = 1.0
    missed, false = detection_loss(empty, mask).item(), detection_loss(mask, empty).item()
    gradients = 4 / 32
    assert missed - gradients == pytest.approx(ANOMALY_WEIGHT / (15 + ANOMALY_WEIGHT))
    assert false - gradients == pytest.approx(1 / 16)


def test_the_detection_loss_equals_a_numpy_loop():
    random = np.random.default_rng(0)
    made, mask = random.random((2, 5, 4)), random.integers(0, 2, (2, 5, 4)).astype(float)
    pixels = weights = steps = 0.0
    for index in np.ndindex(*made.shape):
        weight = ANOMALY_WEIGHT if mask[index] else 1.0
        pixels += weight * (made[index] - mask[index]) ** 2
        weights += weight
        for axis in (1, 2):
            after = list(index)
            after[axis] += 1
            if after[axis] < made.shape[axis]:
                after = tuple(after)
                steps += ((made[after] - made[index]) - (mask[after] - mask[index])) ** 2
    expected = pixels / weights + steps / (2 * made.size)
    loss = detection_loss(torch.from_numpy(made), torch.from_numpy(mask)).item()
    assert loss == pytest.approx(expected)


@pytest.mark.parametrize("loss", [reconstruction_loss, detection_loss])
def test_a_perfect_match_has_a_finite_slope(loss):
    shape = (1, 3, 4, 4) if loss is reconstruction_loss else (1, 4, 4)
    made = torch.zeros(shape, requires_grad=True)
    loss(made, torch.zeros(shape)).backward()
    assert made.grad.isfinite().all()
