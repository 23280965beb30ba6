import csv
import json
import shutil
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

import rcae
from rcae.base.errors import CheckpointError, DataError
from rcae.base.storage import write_text
from rcae.data.doctor import give_aways
from rcae.data.images import read_mask
from rcae.detector.calibration import calibrate
from rcae.detector.calibration_images import read_calibration_images, scores_of, to_csv
from rcae.detector.detector import Detector
from rcae.detector.run.checkpoint import load_model, save_model
from rcae.detector.run.run_folder import RunFolder
from rcae.evaluation.evaluate_report import write_evaluation
from rcae.evaluation.result import EvaluationResult


@pytest.fixture(scope="module")
def evaluation(finished_run, parts):
    return rcae.evaluate(finished_run, parts)


@pytest.fixture
def copy(parts, tmp_path):
    return shutil.copytree(parts, tmp_path / "copy")


def test_image_metrics_equal_scikit_learns_on_the_detectors_own_scores(
    evaluation, finished_run, parts
):
    detector = Detector.load(finished_run)
    paths = sorted(parts.glob("test/*/*.png"))
    truth = [path.parent.name != "good" for path in paths]
    scores = [detector.predict(path).anomaly_score for path in paths]
    assert evaluation.metrics.image_auroc == pytest.approx(roc_auc_score(truth, scores))
    assert evaluation.metrics.image_ap == pytest.approx(average_precision_score(truth, scores))
    assert evaluation.metrics.image_count == 8


def test_pixel_metrics_equal_scikit_learns_on_maps_of_full_size(evaluation, finished_run, parts):
    detector = Detector.load(finished_run)
    values, truth = [], []
    for path in sorted(parts.glob("test/*/*.png")):
        values.append(detector.predict(path).anomaly_map.ravel())
        mask = parts / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
        truth.append(read_mask(mask).ravel() if mask.exists() else np.zeros(values[-1].size, bool))
    values, truth = np.concatenate(values), np.concatenate(truth)
    assert evaluation.metrics.pixel_auroc == pytest.approx(roc_auc_score(truth, values))
    assert evaluation.metrics.pixel_ap == pytest.approx(average_precision_score(truth, values))


def test_rates_are_those_of_the_calibrated_threshold(evaluation):
    threshold = evaluation.metrics.threshold
    good = [outcome.anomaly_score >= threshold for outcome in evaluation.good]
    bad = [outcome.anomaly_score >= threshold for outcome in evaluation.defective]
    assert evaluation.metrics.false_alarm_rate_seen == np.mean(good)
    assert evaluation.metrics.detection_rate == np.mean(bad)
    assert evaluation.metrics.defect_types["scratch"].detected_count == sum(bad)
    assert evaluation.metrics.detected_count == sum(bad)
    assert evaluation.metrics.false_alarm_count == sum(good)


def test_a_rate_that_calibration_cannot_support_is_null_with_the_reason(evaluation):
    assert evaluation.metrics.detection_rate_at_1_percent is None
    reason = evaluation.metrics.undefined["detection_rate_at_1_percent"]
    # 4 held-out images, and 12 of training that are judged by evidence that has not learnt them.
    assert len(evaluation.calibration.all_scores) == 16
    assert "99 calibration images; the model has 16" in reason


def test_evaluating_twice_gives_the_same_numbers(evaluation, finished_run, parts):
    again = rcae.evaluate(finished_run, parts).metrics
    cost = ("milliseconds_median", "milliseconds_p95", "peak_memory_mib")
    same = {name: getattr(evaluation.metrics, name) for name in cost}
    assert again.model_copy(update=same) == evaluation.metrics


def test_without_masks_pixel_metrics_are_null_with_the_reason(finished_run, copy, tmp_path):
    shutil.rmtree(copy / "ground_truth")
    evaluation = rcae.evaluate(finished_run, copy)
    assert evaluation.metrics.pixel_auroc is None
    assert evaluation.metrics.image_auroc is not None
    assert evaluation.metrics.undefined["aupro"] == "the defective test images have no masks"
    report = write_evaluation(tmp_path / "out", evaluation, Detector.load(finished_run))
    assert "have no masks" in report.read_text(encoding="utf-8")


def test_good_images_alone_leave_ranking_undefined_and_the_false_alarm_rate_known(
    finished_run, copy, tmp_path
):
    shutil.rmtree(copy / "ground_truth")
    shutil.rmtree(copy / "test" / "scratch")
    evaluation = rcae.evaluate(finished_run, copy)
    assert evaluation.metrics.image_auroc is None
    assert evaluation.metrics.false_alarm_rate_seen is not None
    assert write_evaluation(tmp_path / "out", evaluation, Detector.load(finished_run)).exists()
    json.dumps(evaluation.metrics.model_dump(), allow_nan=False)


def test_one_missing_mask_among_others_is_named(finished_run, copy):
    (copy / "ground_truth" / "scratch" / "002_mask.png").unlink()
    with pytest.raises(DataError, match=r"002\.png has no mask"):
        rcae.evaluate(finished_run, copy)


def test_a_mask_of_another_size_is_named_before_anything_is_scored(finished_run, copy, monkeypatch):
    monkeypatch.setattr(Detector, "predict", lambda *_: pytest.fail("scored"))
    mask = copy / "ground_truth" / "scratch" / "001_mask.png"
    Image.fromarray(np.ones((20, 20), dtype=bool)).save(mask)
    with pytest.raises(DataError, match=r"001_mask\.png is 20x20 px, its image 40x40 px"):
        rcae.evaluate(finished_run, copy)


def test_masks_that_are_white_where_the_part_is_good_are_refused_before_anything_is_scored(
    finished_run, copy, monkeypatch
):
    monkeypatch.setattr(Detector, "predict", lambda *_: pytest.fail("scored"))
    for path in (copy / "ground_truth").rglob("*.png"):
        Image.fromarray(255 - np.asarray(Image.open(path).convert("L"))).save(path)
    with pytest.raises(DataError, match=r"masks that mark \d\d% of their images .* invert them"):
        rcae.evaluate(finished_run, copy)


def test_an_empty_mask_is_named(finished_run, copy):
    mask = copy / "ground_truth" / "scratch" / "001_mask.png"
    Image.fromarray(np.zeros((40, 40), dtype=bool)).save(mask)
    with pytest.raises(DataError, match=r"001_mask\.png marks no pixel"):
        rcae.evaluate(finished_run, copy)


def test_no_test_images_is_an_error(finished_run, copy):
    shutil.rmtree(copy / "test")
    with pytest.raises(DataError, match="has no test images"):
        rcae.evaluate(finished_run, copy)


def test_the_files_agree_with_the_evaluation(evaluation, finished_run, tmp_path):
    report = write_evaluation(tmp_path, evaluation, Detector.load(finished_run))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert EvaluationResult.model_validate(metrics) == evaluation.metrics
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["anomaly_score"]) for row in rows] == [
        outcome.anomaly_score for outcome in evaluation.outcomes
    ]
    assert {row["path"] for row in rows} >= {"test/good/000.png", "test/scratch/003.png"}
    assert report.read_text(encoding="utf-8").count("<img") >= 10


def test_the_table_names_every_defect_type_and_the_promise(evaluation):
    text = str(evaluation)
    assert "scratch" in text
    assert f"{evaluation.metrics.image_auroc:.3f}" in text
    assert "promised: at most 5.9%" in text


def test_table_and_report_say_how_the_promise_is_kept(evaluation, finished_run, tmp_path):
    sure = replace(
        evaluation, calibration=evaluation.calibration.model_copy(update={"confidence": 0.95})
    )
    assert "at most 5.9% on average)" in str(evaluation)
    assert "at most 5.9% with 95.0% confidence)" in str(sure)
    report = write_evaluation(tmp_path, sure, Detector.load(finished_run))
    page = report.read_text(encoding="utf-8")
    assert "</data> with 95.0% confidence." in page


OUTLIERS = "Calibration images far from all others"


def with_an_outlier(run, copy):
    """Make the first calibration image of a copied run score far above the others, and return it."""
    folder = RunFolder(shutil.copytree(run, copy))
    first, *others = read_calibration_images(folder.calibration)
    images = [replace(first, anomaly_score=first.anomaly_score + 1024.0), *others]
    write_text(folder.calibration, to_csv(images))
    model = load_model(folder.model)
    before = model.header.calibration
    calibration = calibrate(
        scores_of(images), before.typical_value, 0.05, before.cross_fitted_scores
    )
    save_model(folder.model, replace(model, header=replace(model.header, calibration=calibration)))
    return images[0]


def test_a_calibration_image_far_from_all_others_is_named_in_the_table_and_shown_in_the_report(
    finished_run, parts, tmp_path
):
    far = with_an_outlier(finished_run, tmp_path / "run")
    evaluation = rcae.evaluate(tmp_path / "run", parts)
    (outlier,) = evaluation.outliers
    assert outlier.image == far
    assert f"warning: the calibration image {Path(far.path).name} scores " in str(evaluation)
    assert f"instead of {evaluation.metrics.threshold:.4g}" in str(evaluation)
    report = write_evaluation(tmp_path / "out", evaluation, Detector.load(tmp_path / "run"))
    page = report.read_text(encoding="utf-8")
    _, shown = page.split(OUTLIERS)
    advised = shown.index(escape(outlier.advice))
    assert shown.index("<img") < advised < shown.index("Clearest defects")


def test_a_calibration_image_far_from_all_others_that_is_gone_is_named_but_not_shown(
    evaluation, finished_run, parts, tmp_path
):
    with_an_outlier(finished_run, tmp_path / "run")
    (outlier,) = rcae.evaluate(tmp_path / "run", parts).outliers
    gone = replace(outlier, image=replace(outlier.image, path="/gone/day.png"))
    without = replace(evaluation, outliers=(gone,))
    assert "the calibration image day.png scores" in str(without)
    report = write_evaluation(tmp_path / "out", without, Detector.load(finished_run))
    assert OUTLIERS not in report.read_text(encoding="utf-8")


def test_a_list_of_calibration_images_that_belongs_to_another_model_is_refused(
    finished_run, parts, tmp_path
):
    folder = RunFolder(shutil.copytree(finished_run, tmp_path / "run"))
    first, *others = read_calibration_images(folder.calibration)
    write_text(folder.calibration, to_csv([replace(first, anomaly_score=1024.0), *others]))
    with pytest.raises(CheckpointError, match=r"calibration\.csv does not belong to the model"):
        rcae.evaluate(folder.path, parts)


def test_no_calibration_image_is_said_to_be_far_where_the_run_is_not_known(
    evaluation, finished_run, parts, tmp_path
):
    assert evaluation.outliers == ()
    with_an_outlier(finished_run, tmp_path / "run")
    alone = shutil.copy(tmp_path / "run" / "model.safetensors", tmp_path / "alone.safetensors")
    assert rcae.evaluate(alone, parts).outliers == ()


@pytest.mark.parametrize("role", ["train", "calibration"])
@pytest.mark.parametrize("file", ["", "model.safetensors"])
def test_test_images_that_the_model_knows_are_named(finished_run, copy, tmp_path, file, role):
    rows = [line.split(",") for line in (finished_run / "data.csv").read_text().splitlines()]
    name = next(path for as_role, path, _ in rows if as_role == role)
    again = copy / "test" / "good" / "another name.png"
    shutil.copy(copy / name, again)
    evaluation = rcae.evaluate(finished_run / file, copy)
    assert [sample.path for sample in evaluation.known] == [again]
    assert evaluation.metrics.test_images_known == 1
    said = "another name.png was trained or calibrated on, and so were 0 of the 8 other test images"
    assert said in str(evaluation)
    page = write_evaluation(tmp_path / "out", evaluation, Detector.load(finished_run))
    assert said in page.read_text(encoding="utf-8")


def test_no_test_image_is_said_to_be_known_that_is_not(evaluation, finished_run, copy, tmp_path):
    assert evaluation.known == ()
    alone = tmp_path / "apart" / "model.safetensors"  # whose list of images does not lie beside it
    alone.parent.mkdir()
    shutil.copy(finished_run / "model.safetensors", alone)
    assert rcae.evaluate(alone, copy).known == ()


def test_the_report_notes_a_property_that_gives_the_label_away(
    finished_run, copy, tmp_path, monkeypatch
):
    detector = Detector.load(finished_run)

    def report():
        evaluation = rcae.evaluate(finished_run, copy)
        return write_evaluation(tmp_path / "out", evaluation, detector).read_text(encoding="utf-8")

    for path in (copy / "test" / "good").iterdir():
        Image.open(path).point(lambda value: value // 2).save(path)
    assert "test images: mean brightness" not in report()  # for there are too few to say
    monkeypatch.setattr(give_aways, "FEWEST", 2)
    says = "copy has brighter defective than good test images: mean brightness alone has"
    assert f"{says} an image AUROC of 1.000." in report()
