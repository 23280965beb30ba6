from functools import partial

import numpy as np
import pytest
import torch

from rcae.base.settings import load_settings
from rcae.data.view.working_view import WorkingView
from rcae.detector.calibration_images import score_good_images
from rcae.detector.runners.torch_maps import as_batch, maps
from rcae.model.evidence.evidence import FOLDS
from rcae.model.evidence.fusion import peaks_of
from rcae.model.memory_system import MemorySystem
from rcae.model.system import RcaeSystem
from rcae.training import good_features
from rcae.training.cross_fitting import fit_evidence
from rcae.training.good_features import GoodFeatures
from rcae.training.training_data import open_good_parts
from rcae.training.training_set import TrainingSet
from tests.conftest import TINY


@pytest.fixture
def images(parts):
    return TrainingSet(sorted((parts / "train" / "good").iterdir()), WorkingView(1.0))


def system_of(preset="quick", *values):
    torch.manual_seed(0)
    settings = load_settings(preset, values=[*TINY, *values])
    return RcaeSystem(settings.model).requires_grad_(False).eval()


def test_no_image_is_judged_by_what_it_has_itself_shown(images):
    system, alone = system_of(), system_of()
    features = GoodFeatures(system, images, seed=3)
    features.learn(held_out=[])
    for fold, places in enumerate(features.in_folds()):
        others = [place for place in features._order if place not in places]
        for number, place in enumerate(others):
            sight = alone.sight(as_batch(images.image(place), alone))
            for kind in alone.kinds:
                kind.learn(kind.features(sight), number % FOLDS)
        for kind in alone.kinds:
            kind.settle()
            kind.forget()
        for kind, expected in zip(system.kinds, alone.kinds, strict=True):
            torch.testing.assert_close(kind.mean, expected.mean, atol=1e-5, rtol=1e-4)
        assert len(places) == len(images) // FOLDS, fold


def test_after_the_folds_all_images_count(images):
    system, whole = system_of(), system_of()
    features = GoodFeatures(system, images, seed=3)
    features.learn(held_out=[])
    for _ in features.in_folds():
        pass
    again = GoodFeatures(whole, images, seed=3)
    again.learn(held_out=[])
    for name, tensor in system.state_dict().items():
        assert torch.equal(tensor, whole.state_dict()[name]), name


def test_what_is_usual_is_the_median_of_peaks_of_unseen_images(images):
    system = system_of("scratch")
    features = GoodFeatures(system, images, seed=0)
    held_out = [images.image(0), images.image(1)]
    features.learn(held_out)
    with torch.no_grad():
        peaks = [
            peaks_of(system.evidence(as_batch(images.image(place), system)))[0]
            for places in features.in_folds()
            for place in places
        ]
        peaks += [peaks_of(system.evidence(as_batch(one, system)))[0] for one in held_out]
    expected = torch.stack(peaks).quantile(0.5, dim=0)
    torch.testing.assert_close(system.fusion.usual, expected)


def test_every_map_is_recorded_with_its_name_and_weight(images):
    system = system_of("quick", "model.recursion_distance=true")
    records = GoodFeatures(system, images, seed=0).learn([images.image(0), images.image(1)])
    names = [one.name for one in records]
    memories = ["memory", "memory 1/2", "memory 1/4"]
    assert names == ["map", "own features", *memories, "recursion"]
    assert np.mean([one.weight for one in records]) == pytest.approx(1.0)
    for one in records:
        assert 0 <= one.auroc <= 1
        assert (one.weight == 0) == (one.auroc <= 0.5)


def test_without_held_out_images_the_weights_stay(images):
    system = system_of()
    records = GoodFeatures(system, images, seed=0).learn(held_out=[])
    assert {one.weight for one in records} == {1.0}
    assert {one.auroc for one in records} == {None}


def test_a_system_without_kinds_has_nothing_to_learn(images):
    system = system_of("paper", "image.size_px=32")
    features = GoodFeatures(system, images, seed=0)
    assert features.learn(held_out=[]) == []
    assert list(features.in_folds()) == []


def test_a_calibration_counts_training_images_as_if_they_were_new(parts, monkeypatch):
    monkeypatch.setattr(good_features, "MOST_JUDGED", 8)
    settings = load_settings("scratch", values=TINY)
    good_parts = open_good_parts(parts, settings)
    fitted = fit_evidence(MemorySystem(), good_parts, seed=0, false_alarm_rate=0.05)
    assert len(fitted.held_out) == len(good_parts.calibration) == 4
    assert len(fitted.cross_fitted) == 8
    calibration = fitted.calibration
    assert len(calibration.all_scores) == 12
    assert np.median(calibration.cross_fitted_scores) >= np.median(
        [one.anomaly_score for one in fitted.cross_fitted]
    )
    assert calibration.false_alarm_rate == pytest.approx(1 / 13)
    assert "8 training images help" in calibration.promise


def test_a_paper_model_is_calibrated_on_held_out_images_alone(parts):
    settings = load_settings("paper", values=TINY)
    good_parts = open_good_parts(parts, settings)
    torch.manual_seed(0)
    system = RcaeSystem(settings.model).requires_grad_(False).eval()
    fitted = fit_evidence(system, good_parts, seed=0, false_alarm_rate=0.05)
    to_maps = partial(maps, system, good_parts.working_view)
    assert fitted.held_out == score_good_images(
        good_parts.calibration_by_hash, to_maps, good_parts.working_view.usual
    )
    assert fitted.cross_fitted == ()
    assert fitted.evidence == ()
    assert "training images" not in fitted.calibration.promise.replace("calibration images", "")
