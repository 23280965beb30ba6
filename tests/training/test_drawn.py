import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rcae.base.settings import load_settings
from rcae.data.view.working_view import WorkingView
from rcae.training.drawn import draw_batch
from rcae.training.painting.pseudo_anomalies import PAINTERS
from rcae.training.processes import Processes
from rcae.training.training_set import TrainingSet
from tests.conftest import TINY


@pytest.fixture
def images(parts):
    return TrainingSet(sorted((parts / "train" / "good").iterdir()), WorkingView(1.0))


def settings_of(*values):
    return load_settings("quick", values=[*TINY, *values])


def test_a_batch_depends_on_seed_stage_and_step_alone(images, parts):
    settings = settings_of()
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
    monkeypatch.setattr("rcae.training.drawn.SEAM_SHARE", 0.0)
    settings = settings_of("training.varied=false")
    painted = draw_batch(images, settings, 2, 7, paint=True)
    plain = draw_batch(images, settings, 2, 7, paint=False)
    assert torch.equal(painted.good, plain.image)
    assert not torch.equal(painted.image, plain.image)
    assert plain.good is None
    assert plain.mask.sum() == 0


def test_a_seam_is_to_be_found_and_not_to_be_restored(images, monkeypatch):
    monkeypatch.setattr("rcae.training.drawn.SEAM_SHARE", 1.0)
    monkeypatch.setitem(
        PAINTERS.built_in,
        "mixed",
        lambda good, donor, _: (good + 1.0, np.eye(len(good), dtype=np.bool_)),
    )
    settings = settings_of(
        "training.varied=false", "training.anomalous_share=1", "training.plain_first=false"
    )
    painted = draw_batch(images, settings, 2, 7, paint=True)
    plain = draw_batch(images, settings, 2, 7, paint=False)
    assert not torch.equal(painted.good, plain.image)
    assert torch.equal(painted.image, painted.good + 1.0)
    anomalous = painted.mask.bool()
    assert anomalous[:, range(32), range(32)].all()
    assert (anomalous.sum(dim=(1, 2)) > 32).all()


def never(*_):
    raise AssertionError("this is never painted")


def test_the_first_windows_have_plain_patches_alone(images, monkeypatch):
    monkeypatch.setitem(PAINTERS.built_in, "mixed", never)
    monkeypatch.setattr("rcae.training.drawn.paint_seam", never)
    settings = settings_of(
        "training.plain_first=true",
        "training.varied=false",
        "training.anomalous_share=1",
        "training.batch_size=40",
    )
    painted = draw_batch(images, settings, 2, 0, paint=True)
    assert torch.equal(painted.good, draw_batch(images, settings, 2, 0, paint=False).image)
    assert painted.mask.bool().any(dim=(1, 2)).all()
    changed = (painted.image != painted.good).any(dim=1)
    assert changed[painted.mask.bool()].float().mean() > 0.99


def test_without_the_setting_plain_patches_are_never_painted(images, monkeypatch):
    monkeypatch.setattr("rcae.training.drawn.paint_plain_patches", never)
    settings = settings_of("training.plain_first=false", "training.batch_size=40")
    for step in (0, 1, 10):
        assert draw_batch(images, settings, 2, step, paint=True).mask.any()


def test_the_share_of_plain_windows_falls_until_the_end_of_stage_3(images, monkeypatch):
    painted = []

    def only_noting(kind):
        return lambda good, *_: (painted.append(kind) or good, np.zeros(good.shape[:2], np.bool_))

    monkeypatch.setitem(PAINTERS.built_in, "mixed", only_noting("mixed"))
    monkeypatch.setattr("rcae.training.drawn.paint_plain_patches", only_noting("plain"))
    settings = settings_of(
        "training.plain_first=true",
        "training.varied=false",
        "training.anomalous_share=1",
        "training.batch_size=300",
        "training.detection.steps=8",
    )
    shares = []
    for step in (0, 4, 8, 1000):
        painted.clear()
        draw_batch(images, settings, 2, step, paint=True)
        assert len(painted) == 300
        shares.append(painted.count("plain") / 300)
    assert shares == pytest.approx([1.0, 0.6, 0.2, 0.2], abs=0.08)


def test_good_images_are_varied_for_crd_alone_and_then_painted(images):
    as_they_are, varied = (
        [draw_batch(images, settings_of(value), 2, 7, paint=paint) for paint in (False, True)]
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
        "rcae.training.drawn.varied",
        lambda window, _, *, mirrored: may_be.append(mirrored) or window,
    )
    settings = settings_of("training.varied=true")
    for in_one_pose in (False, True):
        monkeypatch.setattr(TrainingSet, "in_one_pose", in_one_pose)
        draw_batch(images, settings, 2, 0, paint=True)
    assert may_be == [True, True, False, False]


def test_every_depth_is_drawn_about_equally_often(images):
    settings = settings_of("model.recursion_depth=4")
    depths = [draw_batch(images, settings, 0, step, paint=False).depth for step in range(400)]
    counts = np.bincount(depths, minlength=5)
    assert counts[0] == 0
    assert counts[1:].min() > 70


@pytest.mark.parametrize(("crop_px", "side_px"), [(32, 32), (128, 40)])
def test_windows_are_no_larger_than_the_images(images, crop_px, side_px):
    settings = settings_of(f"training.crop_px={crop_px}")
    batch = draw_batch(images, settings, 2, 0, paint=True)
    assert batch.image.shape == (2, 3, side_px, side_px)
    assert batch.mask.shape == (2, side_px, side_px)


def test_the_shares_of_two_processes_are_the_batch_of_one(images):
    settings = settings_of("training.batch_size=6")
    whole = draw_batch(images, settings, 2, 7, paint=True)
    for rank in range(2):
        own = Processes(count=2, rank=rank).share
        share = draw_batch(images, settings, 2, 7, paint=True, share=own)
        assert torch.equal(share.image, whole.image[rank::2])
        assert torch.equal(share.mask, whole.mask[rank::2])
        assert torch.equal(share.good, whole.good[rank::2])
        assert share.depth == whole.depth


class Operators(TorchDispatchMode):
    """Remembers the name of every operator that runs within it."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("paint", [False, True])
def test_a_drawing_thread_computes_nothing_with_torch(images, tiny_settings, paint):
    with Operators() as seen:
        draw_batch(images, tiny_settings, 2, 0, paint=paint)
    assert seen.names <= {"lift_fresh", "permute"}  # both hold what there is
