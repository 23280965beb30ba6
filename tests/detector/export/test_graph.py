from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from rcae.base.settings import load_settings
from rcae.data.images import resize
from rcae.data.view.part_frame import PartFrame
from rcae.data.view.working_view import WorkingView
from rcae.detector.calibration import calibrate
from rcae.detector.detector import Detector
from rcae.detector.export.graph import resized
from rcae.detector.export.onnx_export import onnx_model
from rcae.detector.run.checkpoint import Model
from rcae.detector.run.model_header import ModelHeader
from rcae.detector.runners.torch_runner import TorchRunner
from rcae.model.system import RcaeSystem
from tests.conftest import TINY
from tests.good_evidence import fit_on
from tests.part_images import part_image

UNCHANGED = WorkingView(1.0)
SIZES = [(40, 40), (16, 16), (100, 17), (33, 64)]
OUTPUTS = ["anomaly_map", "anomaly_score", "is_defective"]


def untrained(*values, working_view=UNCHANGED):
    """A model with random weights and fitted distances."""
    torch.manual_seed(0)
    settings = load_settings("quick", values=[*TINY, "training.crop_px=512", *values])
    system = RcaeSystem(settings.model).requires_grad_(False).eval()
    fit_on(system, torch.rand(2, 3, 48, 64), torch.rand(1, 3, 64, 40))
    provenance = {"category": "none", "training_images": 0, "data_sha256": ""}
    calibration = calibrate([0.4, 0.5], 0.1, 0.4)
    return Model(system, ModelHeader(settings, working_view, calibration, provenance))


def random_images(*shape):
    return np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)


def run(model, images, threshold=0.5):
    session = onnxruntime.InferenceSession(onnx_model(model).SerializeToString())
    return [
        session.run(OUTPUTS, {"images": batch, "threshold": np.array(threshold, np.float32)})
        for batch in images
    ]


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("model.fold=1", "model.detection_dimensions=3"),
        ("model.fold=4", "model.recursion_depth=5", "model.detection_widths=[4, 8, 8]"),
        ("model.detection_steps=[2]", "model.share_weights=false"),
        ("model.detail_network=false", "model.skip_connections=false"),
        ("model.detection_network=false",),
        ("model.feature_distance=false", "model.patch_memory=false", "model.smoothing_px=1"),
        ("model.feature_distance=false",),
        ("model.patch_memory=false",),
        ("model.recursion_distance=true",),
        ("model.form=plain", "model.detection_network=false", "model.detail_network=false"),
    ],
    ids=lambda values: ",".join(values).replace("model.", "") or "as in quick",
)
def test_every_kind_of_model_is_exported_with_free_sizes(values):
    model = untrained(*values)
    images = [random_images(1, *size) for size in SIZES]
    detector = Detector(TorchRunner(model, "cpu"))
    for batch, (anomaly_map, score, _) in zip(images, run(model, images), strict=True):
        expected = detector.predict(batch[0])
        np.testing.assert_allclose(anomaly_map[0], expected.anomaly_map, atol=2e-5, rtol=1e-4)
        assert score[0] == anomaly_map.max()


@pytest.mark.parametrize(
    "rule",
    [
        WorkingView(0.6),
        WorkingView(0.5),
        WorkingView(0.01),
        WorkingView(0.5, 24),
        WorkingView(1.0, None, 0.3),
        WorkingView(0.6, None, 0.9),
    ],
    ids=str,
)
def test_every_working_view_is_in_the_graph(rule):
    model = untrained(working_view=rule)
    images = [random_images(1, *size) for size in [*SIZES, (51, 133)]]
    detector = Detector(TorchRunner(model, "cpu"))
    for batch, (anomaly_map, *_) in zip(images, run(model, images), strict=True):
        expected = detector.predict(batch[0]).anomaly_map
        np.testing.assert_allclose(anomaly_map[0], expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("still_at_px", [None, (33, 27)], ids=["follows", "stands still"])
@pytest.mark.parametrize("rule", [WorkingView(1.0), WorkingView(0.6, None, 0.7)], ids=str)
def test_the_frame_of_the_part_is_in_the_graph(rule, still_at_px):
    frame = PartFrame(0.75, 0.1, 30, 30, 12, 14, still_at_px)
    model = untrained(working_view=replace(rule, frame=frame))
    poses = [((90, 130), (40, 60), 0.3), ((120, 100), (70, 45), 2.5), ((64, 64), (30, 31), -1.4)]
    images = [np.rint(255 * part_image(*pose)).astype(np.uint8)[None] for pose in poses]
    detector = Detector(TorchRunner(model, "cpu"))
    for batch, (anomaly_map, *_) in zip(images, run(model, images), strict=True):
        expected = detector.predict(batch[0]).anomaly_map
        np.testing.assert_allclose(anomaly_map[0], expected, atol=1e-4, rtol=1e-4)
    batch = np.concatenate([images[2], images[2][:, ::-1], images[2][:, :, ::-1]])
    ((together, *_),) = run(model, [batch])
    for image, drawn in zip(batch, together, strict=True):
        expected = detector.predict(image).anomaly_map
        np.testing.assert_allclose(drawn, expected, atol=1e-4, rtol=1e-4)


def test_nothing_is_resized_where_the_camera_scale_is_kept():
    proto = onnx_model(
        untrained(
            "model.patch_memory=false",
            working_view=WorkingView(1.0, None, 0.3),
        )
    )
    assert "MatMul" not in {node.op_type for node in proto.graph.node}


def test_the_graph_takes_any_batch_and_any_threshold():
    model = untrained(working_view=WorkingView(0.7))
    images = random_images(3, 24, 40)
    ((anomaly_map, scores, _),) = run(model, [images])
    assert anomaly_map.shape == (3, 24, 40)
    assert anomaly_map.dtype == scores.dtype == np.float32
    np.testing.assert_array_equal(scores, anomaly_map.max(axis=(1, 2)))
    middle = np.sort(scores)[1]
    (_, again, decisions), alone = run(model, [images, images[:1]], middle)
    np.testing.assert_array_equal(decisions, again >= middle)
    assert list(np.sort(decisions)) == [False, True, True]
    np.testing.assert_allclose(alone[0], anomaly_map[:1], atol=1e-5)


def test_exporting_leaves_the_model_as_it_was():
    model = untrained()
    before = {name: tensor.clone() for name, tensor in model.system.state_dict().items()}
    onnx_model(model)
    after = model.system.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_large_bright_image_gets_the_exposure_that_its_run_gives_it():
    plain = (
        "model.form=plain",
        "model.detection_network=false",
        "model.detail_network=false",
    )
    model = untrained(*plain, working_view=WorkingView(1.0, None, 0.3))
    images = 200 + random_images(1, 700, 900) // 8
    ((anomaly_map, *_),) = run(model, [images])
    expected = Detector(TorchRunner(model, "cpu")).predict(images[0]).anomaly_map
    np.testing.assert_allclose(anomaly_map[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("old", "new"),
    [((40, 33), (17, 20)), ((17, 20), (40, 33)), ((64, 64), (64, 30)), ((50, 3), (1, 9))],
)
def test_resizing_in_the_graph_is_pillows(old, new):
    image = np.random.default_rng(0).random((*old, 3), dtype=np.float32)
    planes = torch.from_numpy(image).permute(2, 0, 1)
    seen = resized(planes, *map(torch.tensor, new)).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(seen, resize(image, *new), atol=2e-6)
