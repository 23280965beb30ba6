import pytest
import torch

from rcae.data.training_set import TrainingSet
from rcae.data.working_view import WorkingView
from rcae.errors import SettingsError
from rcae.model.system import RcaeSystem
from rcae.settings import load_settings
from rcae.training import stages as stages_module
from rcae.training.forward import require_runnable
from rcae.training.loop import make_optimizer, train_step
from rcae.training.stages import build_stages
from rcae.training.whole_batch import normalise_over_processes
from tests.conftest import TINY

BF16 = "training.precision=bf16"


@pytest.fixture
def images(parts):
    return TrainingSet(sorted((parts / "train" / "good").iterdir()), WorkingView(1.0))


def build(images, *values, change=lambda system: None):
    settings = load_settings("quick", values=[*TINY, *values])
    torch.manual_seed(0)
    system = RcaeSystem(settings.model)
    change(system)
    return build_stages(system.requires_grad_(False).eval(), images, settings), settings


def loss_of(stage, step=0):
    """The loss of a step, after its backward pass."""
    stage.module.requires_grad_(True).train()
    loss = stage.loss(stage.draw(step))
    loss.backward()
    return loss


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("change", [lambda _: None, normalise_over_processes])
def test_the_loss_in_bf16_is_that_in_fp32_but_for_its_rounding(images, index, dimensions, change):
    values = [f"model.detection_dimensions={dimensions}"]
    exact, rounded = (
        build(images, *values, *more, change=change)[0][index] for more in ([], [BF16])
    )
    expected, loss = loss_of(exact), loss_of(rounded)
    assert loss.item() == pytest.approx(expected.item(), rel=0.005)
    assert loss.item() != expected.item()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_in_bf16_losses_weights_gradients_and_moments_are_float32(images, index, monkeypatch):
    def checked(loss):
        def check(drawn, *others, **options):
            assert drawn.dtype == torch.float32
            assert not torch.is_autocast_enabled("cpu")
            return loss(drawn, *others, **options)

        return check

    for name in ("reconstruction_loss", "detection_loss"):
        monkeypatch.setattr(stages_module, name, checked(getattr(stages_module, name)))
    stages, settings = build(images, BF16)
    stage = stages[index]
    assert loss_of(stage).dtype == torch.float32
    optimizer = make_optimizer(stage.module, settings)
    train_step(stage, stage.draw(1), optimizer, settings)
    for parameter in stage.module.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is None or parameter.grad.dtype == torch.float32
    for tensor in (
        *stage.module.buffers(),
        *optimizer.state[next(stage.module.parameters())].values(),
    ):
        assert tensor.dtype in (torch.float32, torch.int64)


def test_a_map_that_is_sure_and_wrong_is_corrected_in_bf16_as_in_fp32(images):
    def sure(system):
        torch.nn.init.constant_(system.detection.network.head.bias, 10.0)

    exact, rounded = (build(images, *more, change=sure)[0][2] for more in ([], [BF16]))
    assert loss_of(rounded).item() == pytest.approx(loss_of(exact).item(), rel=0.01)
    ours, theirs = (stage.module.network.head.bias.grad for stage in (rounded, exact))
    torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0)


def test_a_gpu_without_bf16_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "an old one")
    training = load_settings("quick", values=[BF16]).training
    with pytest.raises(SettingsError, match=r"an old one does not; set training\.precision=fp32"):
        require_runnable(training, torch.device("cuda"))
    require_runnable(training, torch.device("cpu"))
