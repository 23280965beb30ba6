"""RcAE in anomalib's own Engine: these tests run where `rcae[anomalib]` is installed."""

import numpy as np
import pytest
import torch

import rcae
from rcae.base.errors import UsageError
from tests.conftest import TINY

pytest.importorskip("anomalib")
pytestmark = pytest.mark.filterwarnings("ignore")  # those of Lightning and anomalib


@pytest.fixture(scope="module")
def datamodule(parts):
    from anomalib.data import Folder

    return Folder(
        name="parts",
        root=parts,
        normal_dir="train/good",
        normal_test_dir="test/good",
        abnormal_dir="test/scratch",
        mask_dir="ground_truth/scratch",
        train_batch_size=2,
        eval_batch_size=3,
        num_workers=0,
    )


@pytest.fixture(scope="module")
def trained(datamodule, tmp_path_factory):
    """Engine and model after `Engine.train`, and the figures of the test."""
    from anomalib.engine import Engine

    from rcae.integrations.anomalib import Rcae

    model = Rcae(set=TINY)
    engine = Engine(
        default_root_dir=tmp_path_factory.mktemp("engine"), accelerator="cpu", logger=False
    )
    (figures,) = engine.train(model=model, datamodule=datamodule)
    return engine, model, figures


def places(engine, pattern):
    from pathlib import Path

    return list(Path(engine.trainer.default_root_dir).rglob(pattern))


def test_the_engine_trains_the_weights_of_our_own_training(trained, finished_run):
    engine, model, figures = trained
    (weights,) = places(engine, "rcae/model.safetensors")
    ours = rcae.Detector.load(finished_run)
    assert rcae.Detector.load(weights).runner.weights_sha256 == ours.runner.weights_sha256
    assert model.model.trained.header.calibration == ours.calibration
    assert {"image_AUROC", "image_F1Score", "pixel_AUROC", "pixel_F1Score"} <= figures.keys()


def test_the_engine_predicts_the_scores_maps_and_decisions_of_our_detector(
    trained, datamodule, finished_run
):
    engine, model, _ = trained
    ours = rcae.Detector.load(finished_run)
    seen = set()
    for batch in engine.predict(model=model, datamodule=datamodule):
        for place, path in enumerate(batch.image_path):
            detection = ours.predict(path)
            assert float(batch.pred_score[place]) == detection.anomaly_score
            assert bool(batch.pred_label[place]) == detection.is_defective
            drawn = batch.anomaly_map[place].squeeze().numpy()
            np.testing.assert_array_equal(drawn, detection.anomaly_map)
            inside = batch.pred_mask[place].squeeze().numpy()
            np.testing.assert_array_equal(inside, detection.anomaly_map >= detection.threshold)
            seen.add(detection.is_defective)
    assert seen == {True, False}


def test_pictures_are_drawn_in_the_heat_scale_of_the_calibration(trained):
    engine, model, _ = trained
    calibration = model.model.trained.header.calibration
    values = torch.tensor([calibration.typical_value, calibration.threshold, 1e6])
    assert model.model.heat(values).tolist() == pytest.approx([0.0, 0.5, 1.0], abs=1e-6)
    assert places(engine, "images/**/scratch/*.png")


def test_a_checkpoint_of_lightning_holds_the_whole_model(trained):
    from rcae.integrations.anomalib import Rcae

    engine, model, _ = trained
    (file,) = places(engine, "*.ckpt")
    images = torch.rand(2, 3, 40, 40)
    loaded, kept = Rcae.load_from_checkpoint(file).eval()(images), model.eval()(images)
    for name in ("pred_score", "pred_label", "anomaly_map", "pred_mask"):
        assert torch.equal(getattr(loaded, name), getattr(kept, name)), name


def test_anomalibs_exporter_writes_an_onnx_file_that_decides_alike(trained, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    engine, model, _ = trained
    session = runtime.InferenceSession(str(engine.export(model, "onnx", export_root=tmp_path)))
    images = torch.rand(3, 3, 40, 40)  # the size of the training images, which is the default
    names = [output.name for output in session.get_outputs()]
    given = {session.get_inputs()[0].name: images.numpy()}
    exported, ours = dict(zip(names, session.run(None, given), strict=True)), model.eval()(images)
    spread = float(ours.anomaly_map.max() - ours.anomaly_map.min())
    np.testing.assert_allclose(exported["pred_score"], ours.pred_score, atol=1e-4 * spread)
    np.testing.assert_allclose(exported["anomaly_map"], ours.anomaly_map, atol=1e-4 * spread)
    np.testing.assert_array_equal(exported["pred_label"], ours.pred_label)


def test_a_data_module_is_data_of_ours(datamodule, parts, finished_run, tmp_path):
    from rcae.integrations.anomalib import write_image_list

    data = write_image_list(datamodule, tmp_path / "parts.csv")
    of_list, of_folder = rcae.evaluate(finished_run, data), rcae.evaluate(finished_run, parts)
    assert of_list.metrics.image_auroc == of_folder.metrics.image_auroc
    assert of_list.metrics.pixel_auroc == of_folder.metrics.pixel_auroc


def test_a_model_that_is_not_trained_and_data_without_files_are_refused(tmp_path):
    from rcae.integrations.anomalib import Rcae, write_image_list

    with pytest.raises(UsageError, match=r"this Rcae is not trained; call Engine\.fit"):
        Rcae().model(torch.rand(1, 3, 40, 40))
    with pytest.raises(UsageError, match=r"a list does not say which files"):
        write_image_list([[torch.zeros(3, 4, 4)]], tmp_path / "list.csv")


@pytest.mark.parametrize("threshold", [0.5, 0.1, 1 / 3, -2.7])
def test_a_score_at_the_threshold_is_defective_as_everywhere(threshold):
    from rcae.integrations.anomalib import CalibratedPostProcessor

    processor = CalibratedPostProcessor()
    processor.decide_at(threshold)
    nearest = np.float32(threshold)
    for score in (
        np.nextafter(nearest, np.float32(-np.inf)),
        nearest,
        np.nextafter(nearest, np.float32(np.inf)),
    ):
        decided = processor._apply_threshold(
            torch.tensor(score), processor.normalized_image_threshold
        )
        assert bool(decided) == (float(score) >= threshold)
