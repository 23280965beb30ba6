import pytest
import torch
from torch import nn

from rcae.base.settings import load_settings
from rcae.model.system import RcaeSystem
from rcae.training.whole_batch import WholeBatchNorm, normalise_over_processes
from tests.conftest import TINY


@pytest.mark.parametrize("dimensions", [2, 3])
def test_normalising_over_one_process_is_batch_normalisation(dimensions):
    settings = load_settings("quick", values=[*TINY, f"model.detection_dimensions={dimensions}"])
    usual, ours = RcaeSystem(settings.model).double(), RcaeSystem(settings.model)
    normalise_over_processes(ours, 1)
    ours.double().load_state_dict(usual.state_dict())
    assert sum(isinstance(module, WholeBatchNorm) for module in ours.modules()) == 5
    assert not any(isinstance(m, nn.BatchNorm2d) for m in ours.modules())
    image = torch.rand(3, 3, 32, 32, dtype=torch.float64)
    for system in (usual, ours):
        system.train().detect(image).square().sum().backward()
    for name, parameter in usual.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(ours.get_parameter(name).grad, parameter.grad)
    torch.testing.assert_close(ours.state_dict(), usual.state_dict())
    torch.testing.assert_close(ours.eval().detect(image), usual.eval().detect(image))
