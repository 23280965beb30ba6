import re
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rcae.base.errors import MissingExtraError, UsageError
from rcae.base.extras import install_command
from rcae.base.settings import load_settings
from rcae.data.view.working_view import WorkingView
from rcae.study.anomalib_import import anomalib_models
from rcae.study.contenders import CONTENDERS, benchmark_request
from rcae.study.map_predictor import MapPredictor
from rcae.study.peer_view import SIDE_PX, OurView, SquashedView, view_of
from rcae.study.peers import PEERS, GoodImages, Peer, _loader, peer_maps, train_peer
from rcae.study.request import CellRequest
from rcae.training.training_data import open_good_parts
from tests.conftest import TINY


class Brightness(torch.nn.Module):
    """Stands in for a model of anomalib: the map is the red channel, or there is none."""

    def __init__(self, *, draws_a_map=True):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.pre_processor = torch.nn.Identity()
        self._draws_a_map = draws_a_map

    def model(self, image):
        assert image.shape == (1, 3, SIDE_PX, SIDE_PX)
        return SimpleNamespace(
            anomaly_map=image[:, :1] if self._draws_a_map else None, pred_score=image.mean()
        )


def good(parts):
    return tuple(sorted((parts / "train" / "good").iterdir()))


def test_a_peer_is_scored_and_calibrated_by_the_same_rule_as_ours(parts):
    inspector = MapPredictor(partial(peer_maps, Brightness(), SquashedView()), None)
    inspector.calibrate({path.name: path for path in good(parts)}, 0.1)
    assert len(inspector.calibration.scores) == 16
    scratched = parts / "test" / "scratch" / "000.png"
    detection = inspector.predict(scratched)
    assert detection.anomaly_map.shape == (40, 40)
    assert detection.anomaly_score == detection.anomaly_map.max()
    assert detection.is_defective  # the scratch is pure red
    assert detection.regions
    good_scores = [inspector.predict(path).anomaly_score for path in good(parts)]
    np.testing.assert_allclose(sorted(good_scores), inspector.calibration.scores, rtol=1e-6)


def test_a_peer_without_a_map_has_a_constant_one(parts):
    inspector = MapPredictor(
        partial(peer_maps, Brightness(draws_a_map=False), SquashedView()), None
    )
    inspector.calibrate({path.name: path for path in good(parts)}, 0.1)
    detection = inspector.predict(good(parts)[0])
    assert np.ptp(detection.anomaly_map) == 0
    assert detection.anomaly_score == pytest.approx(detection.anomaly_map[0, 0])


def test_every_peer_can_be_named_and_says_what_could_not_be_used():
    for name, peer in PEERS.items():
        assert CONTENDERS[name].note == peer.note
        assert "anomalib" in peer.note


def test_settings_of_ours_are_refused_for_a_peer(parts, tmp_path):
    cell = CellRequest("draem", str(parts), "draem", 0, None, ("model.fold=1",))
    with pytest.raises(UsageError, match=r"model\.fold=1 are for models of ours alone"):
        train_peer(PEERS["draem"], cell, tmp_path)


def test_a_missing_anomalib_is_answered_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr("rcae.base.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=re.escape(install_command("peers"))):
        anomalib_models()


@pytest.mark.parametrize(("epochs", "seen"), [(1, 16), (2, 15)])
def test_a_peer_that_reads_the_images_once_sees_all_of_them(parts, epochs, seen, monkeypatch):
    monkeypatch.setitem(sys.modules, "anomalib.data", SimpleNamespace(ImageBatch=SimpleNamespace))
    peer = Peer("", lambda *_: None, batch_size=5, epochs=epochs)
    images = GoodImages(good(parts), SquashedView(), None)
    assert sum(len(batch.image) for batch in _loader(images, peer)) == seen


def test_in_our_view_the_canvas_takes_every_training_image_and_the_map_comes_back(parts):
    good_parts = open_good_parts(parts, load_settings("quick", values=TINY))
    view = view_of(good_parts, "ours")
    assert isinstance(view, OurView)
    assert view.size_px == (32, 32)
    pixels = np.random.default_rng(0).random((24, 30, 3), dtype=np.float32)
    canvas, on_image = OurView(WorkingView(1.0), (32, 64)).see(pixels)
    np.testing.assert_array_equal(canvas[:24, :30], pixels)
    np.testing.assert_array_equal(canvas[31, 63], pixels[23, 29])
    np.testing.assert_array_equal(on_image(canvas[..., 0]), pixels[..., 0])


def test_an_image_larger_than_the_canvas_is_reduced_to_it():
    pixels = np.full((128, 40, 3), 0.5, dtype=np.float32)
    canvas, on_image = OurView(WorkingView(1.0), (64, 64)).see(pixels)
    assert canvas.shape == (64, 64, 3)
    assert on_image(canvas[..., 0]).shape == (128, 40)


def test_a_label_says_when_a_peer_has_our_view():
    assert benchmark_request("patchcore", 60.0, "ours").label == "patchcore, our view"
    assert benchmark_request("quick", 60.0, "ours") == benchmark_request("quick", 60.0, "theirs")
