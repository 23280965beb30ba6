import pytest
import torch

from rcae.model.evidence.restoration import restoration_loss


def test_the_restoration_loss_equals_a_case_worked_by_hand():
    good, restored = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)
    restored[0, :, 0, 0] = torch.tensor([0.2, -0.6])  # on average 0.4 wrong, painted
    restored[0, :, 1, 1] = torch.tensor([-0.1, 0.1])  # 0.1, not painted
    mask = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    loss = restoration_loss(restored, good, mask).item()
    assert loss == pytest.approx((0.4 + 0.1) / 4 + 0.4 / 2)
    assert restoration_loss(restored, good, 0 * mask).item() == pytest.approx(0.5 / 4)
