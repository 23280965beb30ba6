import pytest
import torch

from rcae.base.settings import load_settings
from rcae.data.view.working_view import WorkingView
from rcae.model.system import RcaeSystem
from rcae.training.drawn import draw_batch
from rcae.training.loop import make_optimizer, run_stage
from rcae.training.stages import build_stages
from rcae.training.training_set import TrainingSet
from tests.conftest import TINY


@pytest.fixture
def images(parts):
    return TrainingSet(sorted((parts / "train" / "good").iterdir()), WorkingView(1.0))


def build(images, *values):
    settings = load_settings("quick", values=[*TINY, *values])
    torch.manual_seed(0)
    system = RcaeSystem(settings.model).requires_grad_(False).eval()
    return system, build_stages(system, images, settings), settings


@pytest.mark.parametrize("index", [0, 1, 2])
def test_each_stage_trains_its_own_network_and_leaves_the_others_frozen(images, index):
    system, stages, settings = build(images)
    before = {name: tensor.clone() for name, tensor in system.state_dict().items()}
    stage = stages[index]
    run_stage(
        stage,
        make_optimizer(stage.module, settings),
        settings,
        first_step=0,
        steps=2,
        after_step=lambda *_: None,
    )
    after = system.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    second_head = {"restoration"} if stage.name == "detection" else set()
    assert changed == {stage.name} | second_head
    assert not any(parameter.requires_grad for parameter in system.parameters())
    assert not any(module.training for module in system.modules())


def test_networks_left_out_have_no_stage(images):
    _, stages, _ = build(images, "model.detail_network=false")
    assert [stage.name for stage in stages] == ["reconstruction", "detection"]
    _, stages, _ = build(images, "model.detection_network=false")
    assert [stage.name for stage in stages] == ["reconstruction", "detail"]


def test_each_stage_draws_batches_of_its_own_and_only_those_of_crd_are_painted(images):
    _, stages, settings = build(images)
    for number, stage in enumerate(stages):
        expected = draw_batch(images, settings, number, 7, paint=number == 2)
        batch = stage.draw(7)
        assert torch.equal(batch.image, expected.image)
        assert (batch.good is None) == (number < 2)


def test_crd_learns_to_take_anomalies_out_of_the_image(images):
    system, stages, _ = build(images, "training.anomalous_share=1")
    stage, batch = stages[-1], stages[-1].draw(3)
    stage.module.requires_grad_(True).train()
    optimizer = torch.optim.Adam(stage.module.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        stage.loss(batch).backward()
        optimizer.step()
    with torch.no_grad():
        restored = system.detect_and_restore(batch.image)[:, 1:]
    where = batch.mask.bool()[:, None].expand_as(restored)
    before = (batch.image - batch.good).abs()[where].mean()
    after = (restored - batch.good).abs()[where].mean()
    assert after < 0.5 * before


def test_stage_two_and_three_learn_nothing_about_earlier_networks(images):
    system, stages, _ = build(images)
    for stage in stages[1:]:
        stage.module.requires_grad_(True).train()
        stage.loss(stage.draw(0)).backward()
    assert all(parameter.grad is None for parameter in system.reconstruction.parameters())
