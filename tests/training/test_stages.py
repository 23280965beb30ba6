import numpy as np
import pytest
import torch

from rcae.base.settings import load_settings
from rcae.data.view.working_view import WorkingView
from rcae.model.system import RcaeSystem
from rcae.training.loop import make_optimizer, run_stage
from rcae.training.plan import steps_from_budget, steps_from_settings, with_steps
from rcae.training.stages import build_stages, draw_batch
from rcae.training.training_set import TrainingSet, extended
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


def test_a_batch_depends_on_seed_stage_and_step_alone(images, parts):
    _, _, settings = build(images)
    fresh = TrainingSet(images.paths, WorkingView(1.0), memory_limit_mib=0)
    first = draw_batch(images, settings, 2, 7, paint=True)
    draw_batch(fresh, settings, 2, 3, paint=True)
    again = draw_batch(fresh, settings, 2, 7, paint=True)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.mask, again.mask)
    assert first.depth == again.depth
    other = draw_batch(images, settings, 2, 8, paint=True)
    assert not torch.equal(first.image, other.image)


def test_a_batch_keeps_the_images_as_they_were_before_painting(images, monkeypatch):
    monkeypatch.setattr("rcae.training.stages.SEAM_SHARE", 0.0)
    _, _, settings = build(images, "training.varied=false")
    painted = draw_batch(images, settings, 2, 7, paint=True)
    plain = draw_batch(images, settings, 2, 7, paint=False)
    assert torch.equal(painted.good, plain.image)
    assert not torch.equal(painted.image, plain.image)
    assert plain.good is None
    assert plain.mask.sum() == 0


def test_a_seam_is_to_be_found_and_not_to_be_restored(images, monkeypatch):
    monkeypatch.setattr("rcae.training.stages.SEAM_SHARE", 1.0)
    monkeypatch.setattr(
        "rcae.training.stages.paint_anomalies",
        lambda good, donor, _: (good + 1.0, np.eye(len(good), dtype=np.bool_)),
    )
    _, _, settings = build(images, "training.varied=false", "training.anomalous_share=1")
    painted = draw_batch(images, settings, 2, 7, paint=True)
    plain = draw_batch(images, settings, 2, 7, paint=False)
    assert not torch.equal(painted.good, plain.image)
    assert torch.equal(painted.image, painted.good + 1.0)
    anomalous = painted.mask.bool()
    assert anomalous[:, range(32), range(32)].all()
    assert (anomalous.sum(dim=(1, 2)) > 32).all()


def test_good_images_are_varied_for_crd_alone_and_then_painted(images):
    as_they_are, varied = (
        [draw_batch(images, build(images, value)[2], 2, 7, paint=paint) for paint in (False, True)]
        for value in ("training.varied=false", "training.varied=true")
    )
    assert torch.equal(as_they_are[0].image, varied[0].image)
    painted = varied[1]
    assert not torch.equal(as_they_are[1].good, painted.good)
    unpainted = ~painted.mask.bool()[:, None].expand_as(painted.image)
    assert (painted.image - painted.good).abs()[unpainted].median() == 0
    assert unpainted.any(dim=(1, 2, 3)).all()


def test_parts_in_one_pose_are_not_mirrored(images, monkeypatch):
    may_be = []
    monkeypatch.setattr(
        "rcae.training.stages.varied",
        lambda window, _, *, mirrored: may_be.append(mirrored) or window,
    )
    _, _, settings = build(images, "training.varied=true")
    for in_one_pose in (False, True):
        monkeypatch.setattr(TrainingSet, "in_one_pose", in_one_pose)
        draw_batch(images, settings, 2, 0, paint=True)
    assert may_be == [True, True, False, False]


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


def test_every_depth_is_drawn_about_equally_often(images):
    _, _, settings = build(images, "model.recursion_depth=4")
    depths = [draw_batch(images, settings, 0, step, paint=False).depth for step in range(400)]
    counts = np.bincount(depths, minlength=5)
    assert counts[0] == 0
    assert counts[1:].min() > 70


@pytest.mark.parametrize(("crop_px", "side_px"), [(32, 32), (128, 40)])
def test_windows_are_no_larger_than_the_images(images, crop_px, side_px):
    settings = load_settings("quick", values=[*TINY, f"training.crop_px={crop_px}"])
    batch = draw_batch(images, settings, 2, 0, paint=True)
    assert batch.image.shape == (2, 3, side_px, side_px)
    assert batch.mask.shape == (2, side_px, side_px)


def test_an_epoch_shows_every_image_once(images):
    for first in (0, 16, 160):
        assert sorted(images.order(first, 16, [0, 0])) == list(range(16))
    across = images.order(10, 12, [0, 0])
    assert across == images.order(0, 32, [0, 0])[10:22]
    assert images.order(0, 16, [0, 0]) != images.order(16, 16, [0, 0])


def test_a_window_is_a_part_of_the_image(images):
    random = np.random.default_rng(0)
    whole = images.image(0)
    window = images.window(0, 32, 8, random)
    places = [
        (top, left)
        for top in range(whole.shape[0] - 31)
        for left in range(whole.shape[1] - 31)
        if np.array_equal(whole[top : top + 32, left : left + 32], window)
    ]
    assert len(places) == 1


def test_windows_reach_as_far_beyond_the_image_as_prediction_does(images):
    random = np.random.default_rng(0)
    whole = images.image(0)  # 40 x 40, seen by networks that need multiples of 64 as 64 x 64
    heights = {images.window(0, 32, 64, random).shape[0] for _ in range(400)}
    assert (min(heights), max(heights)) == (8, 32)
    assert np.array_equal(images.window(0, 64, 64, random), whole)
    assert {images.window(0, 32, 8, random).shape[0] for _ in range(50)} == {32}


def test_extending_a_window_repeats_its_lower_and_right_edges_as_prediction_does(images):
    system, _, _ = build(images, "training.crop_px=64", "model.recursion_depth=5")
    whole = images.image(0)
    as_predicted = system.pad(torch.from_numpy(whole).permute(2, 0, 1)[None])
    ours = torch.from_numpy(extended(whole, 64)).permute(2, 0, 1)[None]
    assert torch.equal(ours, as_predicted)
    mask = np.zeros((3, 2), dtype=np.bool_)
    mask[2, 1] = True
    assert extended(mask, 4).tolist() == [
        [False] * 4,
        [False] * 4,
        [False, True, True, True],
        [False, True, True, True],
    ]


def test_the_border_is_seen_as_often_as_the_middle(parts):
    images = TrainingSet([parts / "train" / "good" / "000.png"], WorkingView(1.0))
    whole, random = images.image(0), np.random.default_rng(0)
    windows = [images.window(0, 32, 8, random) for _ in range(400)]
    first = [np.array_equal(window[0, 0], whole[0, 0]) for window in windows]
    last = [np.array_equal(window[-1, -1], whole[-1, -1]) for window in windows]
    assert 0.1 < np.mean(first) < 0.4  # each border in about two fifths of the windows
    assert 0.1 < np.mean(last) < 0.4


def test_stage_two_and_three_learn_nothing_about_earlier_networks(images):
    system, stages, _ = build(images)
    for stage in stages[1:]:
        stage.module.requires_grad_(True).train()
        stage.loss(stage.draw(0)).backward()
    assert all(parameter.grad is None for parameter in system.reconstruction.parameters())


def test_epochs_become_steps_that_show_every_image_that_often():
    settings = load_settings("paper")
    assert steps_from_settings(settings, 209) == {
        "reconstruction": 78375,  # 1500 * 209 / 4
        "detail": 20900,
        "detection": 15675,
    }


def test_a_left_out_stage_gives_its_time_to_the_others():
    settings = load_settings("quick")
    steps = steps_from_budget(settings, {"reconstruction": 1.0, "detection": 1.0}, 90.0)
    shares = settings.training.reconstruction.time_share, settings.training.detection.time_share
    assert steps == {
        name: int(90 * share / sum(shares)) for name, share in zip(steps, shares, strict=True)
    }
    assert with_steps(settings, steps).training.detection.steps == steps["detection"]
