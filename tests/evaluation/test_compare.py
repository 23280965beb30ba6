import base64
import csv
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from rcae.base.errors import DataError, UsageError
from rcae.detector.calibration import Calibration
from rcae.detector.detector import Detector
from rcae.drawing.pictures import MASK_COLOUR
from rcae.evaluation.compare import Side, compare_models, compare_sides
from rcae.evaluation.compare_report import (
    PICTURES_PER_KIND,
    changes_csv,
    to_json,
    write_comparison,
)
from rcae.evaluation.evaluate import evaluate_detector


class ReadsOneChannel:
    """A model whose map is one colour channel, 0..255, in a unit of its own."""

    can_explain = False

    def __init__(self, header, channel, unit):
        self.header, self.channel, self.unit = header, channel, unit
        self.weights_sha256 = f"channel {channel}"

    def refusal(self, image):
        return None

    def maps(self, images):
        return [(one[..., self.channel] * 255 * self.unit).astype(np.float32) for one in images]


@pytest.fixture
def compare(finished_run):
    """Compare model A, which reads red (threshold 100), with B, which reads green (1000 for 100)."""
    header = Detector.load(finished_run).header

    def side(name, channel, unit, data):
        calibration = Calibration(
            scores=(0.0,), typical_value=20 * unit, false_alarm_rate=0.5, threshold=100 * unit
        )
        runner = ReadsOneChannel(replace(header, calibration=calibration), channel, unit)
        detector = Detector(runner)
        return Side(Path(name), detector, evaluate_detector(detector, data))

    def compare(data, other=None):
        return compare_sides(side("a", 0, 1, data), side("b", 1, 10, other or data))

    return compare


def write_category(root, images):
    """Images of one colour: {"good/name": (what A says, what B says)}, in MVTec AD layout."""
    (root / "train" / "good").mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(root / "train" / "good" / "000.png")
    for name, (red, green) in images.items():
        path = root / "test" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (red, green, 0)).save(path)
    return root


IMAGES = {
    "crack/both": (150, 140),
    "crack/neither": (60, 90),
    "crack/only_a": (180, 30),
    "crack/only_b": (95, 190),
    "crack/only_b_surely": (40, 160),
    "good/alarm_a": (110, 50),
    "good/alarm_b_at_the_threshold": (20, 100),
    "good/quiet": (30, 99),
}


@pytest.fixture
def category(tmp_path):
    return write_category(tmp_path / "discs", IMAGES)


def test_every_image_that_changes_decision_is_listed_under_its_kind_and_no_other(compare, category):
    found = {change.a.sample.path.stem: change.kind for change in compare(category).changes}
    assert found == {
        "only_a": "found only by A",
        "only_b": "found only by B",
        "only_b_surely": "found only by B",
        "alarm_a": "falsely rejected only by A",
        "alarm_b_at_the_threshold": "falsely rejected only by B",
    }


def test_changes_come_with_strengths_on_each_models_own_scale_the_surest_first(compare, category):
    changes = compare(category).changes
    # Strength is (score - 20) / (100 - 20); the size is the smaller distance of both from 1.
    expected = {
        "only_a": (160 / 80, 10 / 80),
        "only_b_surely": (20 / 80, 140 / 80),
        "alarm_a": (90 / 80, 30 / 80),
        "only_b": (75 / 80, 170 / 80),
        "alarm_b_at_the_threshold": (0, 1),
    }
    assert [change.a.sample.path.stem for change in changes] == list(expected)
    for change, strengths in zip(changes, expected.values(), strict=True):
        assert (change.strength_a, change.strength_b) == pytest.approx(strengths, abs=1e-6)


def test_counts_and_tests_are_those_of_the_decisions(compare, category):
    comparison = compare(category)
    found, alarms = comparison.defects_found, comparison.false_alarms
    assert (found.total, found.a, found.b, found.only_a, found.only_b) == (5, 2, 3, 1, 2)
    assert (alarms.total, alarms.a, alarms.b, alarms.only_a, alarms.only_b) == (3, 1, 1, 1, 1)
    assert (found.p_value, alarms.p_value) == (1.0, 1.0)
    truth = [name.startswith("crack") for name in IMAGES]
    for channel, auroc in enumerate((comparison.image_auroc.a, comparison.image_auroc.b)):
        scores = [colour[channel] for colour in IMAGES.values()]
        assert auroc == pytest.approx(roc_auc_score(truth, scores))


def test_a_side_that_saw_other_images_is_refused(compare, category, tmp_path):
    other = shutil.copytree(category, tmp_path / "other")
    with pytest.raises(DataError, match=r"changed between the two evaluations: A saw 8 .* B 8"):
        compare(category, other)


def test_both_evaluations_list_the_same_images_in_the_same_order(finished_run, other_run, parts):
    comparison = compare_models(finished_run, other_run, parts)
    seen = [
        [outcome.sample.path for outcome in side.evaluation.outcomes]
        for side in (comparison.a, comparison.b)
    ]
    assert seen[0] == seen[1] == sorted(parts.glob("test/*/*.png"))
    assert comparison.image_auroc.a == comparison.a.evaluation.metrics.image_auroc
    assert comparison.image_auroc.b == comparison.b.evaluation.metrics.image_auroc


def test_the_table_says_in_words_which_differences_are_beyond_chance(compare, tmp_path):
    images = {f"crack/{n:03d}": (90 + n % 2, 150 + n) for n in range(12)}
    images |= {f"good/{n:03d}": (90 + n % 3, 90 + n % 5) for n in range(12)}
    text = str(compare(write_category(tmp_path / "discs", images)))
    lines = text.splitlines()
    assert lines[0] == "A: a"
    assert re.match(r"image AUROC +0\.\d{3} \(0\.\d{3} to \S+\) +1\.000 \(no interval\) ", lines[3])
    assert re.match(r"defects found +0 of 12 +12 of 12 +0 only A, 12 only B +0\.000488$", lines[4])
    assert re.match(r"false alarms +0 of 12 +0 of 12 +0 only A, 0 only B +1$", lines[5])
    assert re.match(r"image AUROC: B is better beyond chance \(p = \S+\)$", lines[6])
    assert lines[7] == "defects found: B is better beyond chance (p = 0.000488)"
    assert lines[8] == "false alarms: the difference is no more than chance (p = 1)"
    assert lines[9].startswith("12 of 24 images change decision: 0 found only by A, 12 found only")


def test_a_model_that_knows_test_images_is_named_beside_the_verdicts(
    rcae, finished_run, other_run, parts, tmp_path
):
    data = shutil.copytree(parts, tmp_path / "data")
    rows = [line.split(",") for line in (finished_run / "data.csv").read_text().splitlines()]
    run = shutil.copytree(other_run, tmp_path / "run")
    columns, *_ = (run / "data.csv").read_text().splitlines(keepends=True)
    (run / "data.csv").write_text(columns)  # of a model that was trained on other images
    calibrated_on = (run / "calibration.csv").read_text()
    name = next(path for role, path, _ in rows if role == "train" and path not in calibrated_on)
    shutil.copy(data / name, data / "test" / "good" / "known.png")
    code, printed, error = rcae("compare", run, finished_run, data)
    assert code == 0, error
    assert (
        "known.png was trained or calibrated on, and so were 0 of the 8 other test images"
        in printed
    )
    assert printed.count("warning, B: ") == 1
    assert "warning, A: " not in printed


def test_fewer_false_alarms_are_what_is_better(compare, tmp_path):
    images = {f"good/{n:03d}": (50, 150) for n in range(6)} | {"crack/0": (120, 120)}
    text = str(compare(write_category(tmp_path / "discs", images)))
    assert "false alarms: A is better beyond chance (p = 0.0312)" in text
    assert "image AUROC: these images cannot tell whether the difference is more than" in text


def test_json_and_csv_hold_what_was_compared_at_full_precision(compare, category):
    comparison = compare(category)
    plain = json.loads(to_json(comparison))
    assert plain["image_auroc"]["difference"] == comparison.image_auroc.difference
    assert plain["image_auroc"]["interval"] == list(comparison.image_auroc.interval)
    assert plain["defects_found"]["only_b"] == 2
    assert (plain["a"]["model"], plain["b"]["threshold"]) == ("a", 1000)
    rows = list(csv.DictReader(io.StringIO(changes_csv(comparison))))
    assert rows[0].keys() == plain["changes"][0].keys()
    assert rows == [{key: str(value) for key, value in row.items()} for row in plain["changes"]]
    assert rows[0]["path"] == "test/crack/only_a.png"
    assert rows[0]["change"] == "found only by A"
    assert (rows[0]["anomaly_score_a"], rows[0]["threshold_a"]) == ("180.0", "100.0")
    assert (rows[0]["anomaly_score_b"], rows[0]["threshold_b"]) == ("300.0", "1000.0")


def pictures(folder):
    """The pictures of the page by caption."""
    text = (folder / "comparison.html").read_text(encoding="utf-8")
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)" alt="([^"]+)"', text)
    return {
        caption: Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
        for data, caption in found
    }


def test_the_page_shows_input_and_both_overlays_of_each_changed_image(compare, category, tmp_path):
    write_comparison(tmp_path / "out", compare(category))
    found = pictures(tmp_path / "out")
    assert len(found) == 5
    caption = (
        "test/crack/only_a.png: A score 180.000, threshold 100.000; B score 300.000, threshold "
        "1000.000"
    )
    image, by_a, by_b = panel_colours(found[caption])
    assert np.abs(image - (180, 30, 0)).max() < 12
    assert np.abs(by_a - image).max() > 40  # above A's threshold: under heat
    assert np.abs(by_b - image).max() < 12  # as on good images to B: left as it is
    (of_b,) = (picture for caption, picture in found.items() if "only_b_surely" in caption)
    image, by_a, by_b = panel_colours(of_b)
    assert np.abs(by_a - image).max() < 12
    assert np.abs(by_b - image).max() > 40


def panel_colours(picture):
    """The colours in the middle of input, A's overlay and B's overlay."""
    pixels = np.asarray(picture).astype(int)
    height, width, _ = pixels.shape
    return pixels[height // 2, [width // 6, width // 2, 5 * width // 6]]


def test_the_mask_is_outlined_in_the_input_alone(compare, category, tmp_path):
    for name in IMAGES:
        if name.startswith("crack"):
            path = category / "ground_truth" / f"{name}_mask.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            mask = np.zeros((40, 40), bool)
            mask[5:15, 5:15] = True
            Image.fromarray(mask).save(path)
    write_comparison(tmp_path / "out", compare(category))
    for caption, picture in pictures(tmp_path / "out").items():
        pixels = np.asarray(picture).astype(int)
        is_line = np.abs(pixels - MASK_COLOUR).max(axis=2) < 60
        third = pixels.shape[1] // 3
        assert is_line[:, :third].any() == ("crack" in caption)
        assert not is_line[:, third:].any()


def test_more_changes_than_fit_are_counted_and_the_largest_shown(compare, tmp_path):
    count = PICTURES_PER_KIND + 3
    images = {f"crack/{n:03d}": (90 - n, 120 + n) for n in range(count)} | {"good/0": (0, 0)}
    write_comparison(tmp_path / "out", compare(write_category(tmp_path / "discs", images)))
    shown = [caption.split(":")[0] for caption in pictures(tmp_path / "out")]
    assert shown == [f"test/crack/{n:03d}.png" for n in range(count - 1, 2, -1)]
    text = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert f"Found only by B: {count}" in text
    assert "3 smaller changes are left out here" in text


def test_hostile_names_stay_text_on_the_page_and_in_the_files(compare, tmp_path):
    name = "crack/<script>alert(1)<_script>\n\x1b[31m"
    data = write_category(tmp_path / "<b>discs", {name: (150, 50), "good/0": (0, 0)})
    comparison = compare(data)
    write_comparison(tmp_path / "out", comparison)
    text = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;_script&gt;\\n\\x1b[31m.png" in text
    assert len((tmp_path / "out" / "changes.csv").read_text().splitlines()) == 2


def test_a_user_compares_two_runs(rcae, finished_run, other_run, parts, tmp_path):
    out = tmp_path / "out"
    code, printed, err = rcae("compare", finished_run, other_run, parts, "-o", out)
    assert code == 0, err
    assert f"A: {finished_run}" in printed
    assert "image AUROC" in printed
    assert f"page: {out / 'comparison.html'}" in err
    assert {file.name for file in out.iterdir()} == {
        "comparison.html",
        "comparison.json",
        "changes.csv",
    }
    page = (out / "comparison.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|https?://|<script", page)


def test_json_alone_is_printed_and_without_an_output_nothing_is_written(
    rcae, finished_run, other_run, parts, tmp_path, monkeypatch
):
    before = {path.name for path in (*finished_run.iterdir(), *other_run.iterdir())}
    monkeypatch.chdir(tmp_path)
    code, printed, _ = rcae("compare", finished_run, other_run, parts, "--json")
    assert code == 0
    assert json.loads(printed)["a"]["model"] == str(finished_run)
    assert not list(tmp_path.iterdir())
    assert {path.name for path in (*finished_run.iterdir(), *other_run.iterdir())} == before


def test_the_same_model_is_refused_wherever_it_lies(rcae, finished_run, parts, tmp_path):
    copy = shutil.copy(finished_run / "model.safetensors", tmp_path / "copy.safetensors")
    code, printed, err = rcae("compare", finished_run, copy, parts, "-o", tmp_path / "out")
    assert (code, printed) == (2, "")
    assert f"{finished_run} and {copy} are the same model" in err
    assert not (tmp_path / "out").exists()


def test_the_same_weights_with_another_threshold_are_another_model(finished_run, parts, tmp_path):
    from rcae.detector.run.checkpoint import load_model, save_model

    model = load_model(finished_run / "model.safetensors")
    calibration = model.header.calibration
    stricter = calibration.model_copy(update={"threshold": calibration.threshold + 1000})
    other = tmp_path / "stricter.safetensors"
    save_model(other, replace(model, header=replace(model.header, calibration=stricter)))
    comparison = compare_models(finished_run, other, parts)
    assert comparison.image_auroc.difference == 0
    assert comparison.defects_found.b == comparison.false_alarms.b == 0


def test_an_exported_file_stands_for_its_run(finished_run, other_run, parts, tmp_path):
    from rcae.detector.export.run_export import export_run

    exported = tmp_path / "second.onnx"
    export_run(other_run, "onnx", "fp32", None, exported)
    of_file = compare_models(finished_run, exported, parts)
    assert of_file.image_auroc == compare_models(finished_run, other_run, parts).image_auroc
    with pytest.raises(UsageError, match=r"are the same model.*'rcae verify' tells"):
        compare_models(other_run, exported, parts)


@pytest.mark.parametrize(
    ("removed", "sentence"),
    [
        (["test"], "has no test images"),
        (["test/good"], "has only defective test images; to compare two models, add good ones"),
        (
            ["test/scratch", "ground_truth"],
            "has only good test images; to compare two models, add defective ones",
        ),
    ],
)
def test_a_missing_class_of_test_images_is_refused_before_anything_is_scored(
    rcae, finished_run, other_run, parts, tmp_path, monkeypatch, removed, sentence
):
    data = shutil.copytree(parts, tmp_path / "parts")
    for folder in removed:
        shutil.rmtree(data / folder)
    monkeypatch.setattr(Detector, "predict", lambda *_: pytest.fail("scored"))
    code, printed, err = rcae("compare", finished_run, other_run, data, "-o", tmp_path / "out")
    assert (code, printed) == (3, "")
    assert sentence in err
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_read_is_one_sentence(rcae, finished_run, other_run, parts, tmp_path):
    nowhere = tmp_path / "nowhere"
    assert rcae("compare", nowhere, finished_run, parts)[0] == 2
    assert rcae("compare", finished_run, other_run, nowhere)[0] == 2
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"nonsense")
    code, _, err = rcae("compare", finished_run, damaged, parts)
    assert code == 4
    assert "damaged.safetensors" in err
    data = shutil.copytree(parts, tmp_path / "parts")
    (data / "test" / "good" / "002.png").write_bytes(b"")
    code, _, err = rcae("compare", finished_run, other_run, data, "-o", tmp_path / "out")
    assert code == 3
    assert "002.png" in err
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_kept_and_the_table_still_printed(
    rcae, finished_run, other_run, parts, tmp_path
):
    (tmp_path / "out").write_text("precious")
    code, printed, err = rcae("compare", finished_run, other_run, parts, "-o", tmp_path / "out")
    assert code == 5
    assert "image AUROC" in printed
    assert "could not be written" in err
    assert (tmp_path / "out").read_text() == "precious"
