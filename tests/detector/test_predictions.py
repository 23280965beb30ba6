import csv
import json
import shutil

import numpy as np
import pytest
from pydantic import ValidationError

from rcae.base.errors import DataError, StorageError, UsageError
from rcae.data.images import image_size
from rcae.detector.detection import Region
from rcae.detector.detector import Detector
from rcae.detector.predictions import (
    COLUMNS,
    Prediction,
    PredictionCounts,
    predict_files,
    read_predictions,
)


@pytest.fixture(scope="module")
def detector(finished_run):
    return Detector.load(finished_run)


def read(output):
    with (output / "predictions.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    lines = (output / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return table, [json.loads(line) for line in lines]


def test_both_files_hold_what_the_detector_says(detector, parts, tmp_path):
    paths = sorted(parts.glob("test/*/*.png"))
    counts = predict_files(detector, paths, tmp_path / "out")
    table, lines = read(tmp_path / "out")
    assert (
        [row["path"] for row in table] == [line["path"] for line in lines] == list(map(str, paths))
    )
    for path, row, line in zip(paths, table, lines, strict=True):
        detection = detector.predict(path)
        assert float(row["anomaly_score"]) == line["anomaly_score"] == detection.anomaly_score
        assert row["decision"] == ("defective" if detection.is_defective else "good")
        assert int(row["region_count"]) == len(line["regions"]) == len(detection.regions)
        assert float(row["milliseconds"]) > 0
    assert counts.good + counts.defective == 8
    assert counts.unreadable == 0


def test_what_predict_wrote_is_read_back_as_what_the_detector_says(detector, parts, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_text("no image")
    paths = [*sorted(parts.glob("test/*/*.png")), broken]
    predict_files(detector, paths, tmp_path / "out")
    file = tmp_path / "out" / "predictions.jsonl"
    *rows, last = read_predictions([file])
    for path, row in zip(paths, rows, strict=False):
        again = Prediction.of(path, detector.predict(path))
        assert again.model_copy(update={"milliseconds": row.milliseconds}) == row
    assert (last.decision, last.anomaly_score, last.regions) == ("unreadable", None, ())
    assert "".join(row.to_json() + "\n" for row in (*rows, last)) == file.read_text("utf-8")


def test_an_unreadable_file_gets_a_row_and_stops_nothing(detector, parts, tmp_path):
    broken = tmp_path / "größe ✓ broken.png"
    broken.write_text("no image")
    good = parts / "test" / "good" / "000.png"
    counts = predict_files(detector, [good, broken, tmp_path / "gone.png", good], tmp_path / "out")
    table, lines = read(tmp_path / "out")
    assert counts.unreadable == 2
    assert [row["decision"] for row in table].count("unreadable") == 2
    assert "größe ✓ broken.png" in table[1]["error"]
    assert lines[1]["anomaly_score"] is None
    assert table[3]["anomaly_score"] == table[0]["anomaly_score"]


def test_overlays_and_maps_are_written_on_request_and_do_not_collide(detector, parts, tmp_path):
    paths = [parts / "test" / kind / "000.png" for kind in ("good", "scratch")]
    predict_files(detector, paths, tmp_path / "out", overlays=True, maps=True)
    overlays = sorted((tmp_path / "out" / "overlays").iterdir())
    maps = sorted((tmp_path / "out" / "maps").iterdir())
    assert len(overlays) == len(maps) == 2
    for path, overlay, saved in zip(paths, overlays, maps, strict=True):
        assert image_size(overlay) == (40, 40)
        assert np.array_equal(np.load(saved), detector.predict(path).anomaly_map)


def test_results_of_before_are_never_overwritten(detector, parts, tmp_path):
    (tmp_path / "predictions.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"predictions\.csv already exists"):
        predict_files(detector, [parts / "test" / "good" / "000.png"], tmp_path)
    assert (tmp_path / "predictions.csv").read_text() == "mine"


def test_a_disk_that_fills_up_keeps_the_rows_written_before(detector, parts, tmp_path, monkeypatch):
    paths = sorted(parts.glob("test/*/*.png"))
    monkeypatch.setattr("rcae.detector.predictions.write_bytes", fail_at_third())
    with pytest.raises(StorageError):
        predict_files(detector, paths, tmp_path / "out", overlays=True)
    table, lines = read(tmp_path / "out")
    assert len(table) == len(lines) == 3


def fail_at_third():
    calls = []

    def write(path, data):
        calls.append(path)
        if len(calls) == 3:
            raise StorageError("full")

    return write


def test_an_empty_list_gives_empty_tables(detector, tmp_path):
    assert predict_files(detector, [], tmp_path / "out") == PredictionCounts()


def test_a_name_that_is_no_text_is_predicted_and_escaped(detector, parts, tmp_path):
    import os
    import shutil

    name = tmp_path / os.fsdecode(b"teil-\xff.png")
    shutil.copy(parts / "test" / "good" / "000.png", name)
    predict_files(detector, [name], tmp_path / "out")
    table, lines = read(tmp_path / "out")
    assert table[0]["path"].endswith("teil-\\udcff.png")
    assert lines[0]["decision"] in ("good", "defective")


@pytest.mark.parametrize("stem", ["L" * 251, "図" * 83])
def test_a_name_as_long_as_names_can_be_has_its_overlay_and_map(detector, parts, tmp_path, stem):
    image = tmp_path / f"{stem}.png"
    shutil.copy(parts / "test" / "good" / "000.png", image)
    predict_files(detector, [image, image], tmp_path / "out", overlays=True, maps=True)
    for folder in ("overlays", "maps"):
        names = sorted(path.name for path in (tmp_path / "out" / folder).iterdir())
        assert [name[:17] for name in names] == [f"{n:06d}-{stem[:10]}" for n in (1, 2)]


@pytest.mark.parametrize("name", ["predictions.csv", "predictions.jsonl"])
def test_where_one_table_exists_the_other_is_not_made(detector, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{name} already exists"):
        predict_files(detector, [], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


REGION = {
    "left_px": 1,
    "top_px": 2,
    "width_px": 3,
    "height_px": 4,
    "area_px": 9,
    "peak": 72.31168365478516,
    "peak_x_px": 3,
    "peak_y_px": 5,
}
DEFECTIVE = Prediction(
    path="größe ✓.png",
    threshold=-2.214272975921631,
    anomaly_score=72.31168365478516,
    p_value=0.2,
    decision="defective",
    regions=(Region(**REGION),),
    milliseconds=22.738,
    error=None,
)
UNREADABLE = Prediction(
    path="broken.png",
    threshold=1.0,
    anomaly_score=None,
    decision="unreadable",
    regions=(),
    milliseconds=None,
    error="no image",
)
LINES = (
    '{"path": "größe ✓.png", "threshold": -2.214272975921631, "anomaly_score": 72.31168365478516, '
    '"p_value": 0.2, "decision": "defective", "regions": [{"left_px": 1, "top_px": 2, "width_px": 3, '
    '"height_px": 4, "area_px": 9, "peak": 72.31168365478516, "peak_x_px": 3, "peak_y_px": 5}], '
    '"milliseconds": 22.738, "error": null, "remark": null}',
    '{"path": "broken.png", "threshold": 1.0, "anomaly_score": null, "p_value": null, "decision": '
    '"unreadable", "regions": [], "milliseconds": null, "error": "no image", "remark": null}',
)


def test_a_row_has_these_keys_in_this_order_and_every_number_in_full(tmp_path):
    assert (DEFECTIVE.to_json(), UNREADABLE.to_json()) == LINES
    file = tmp_path / "predictions.jsonl"
    file.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    assert list(read_predictions([file])) == [DEFECTIVE, UNREADABLE]


def test_the_table_has_these_columns_in_this_order_for_each_row(detector, parts, tmp_path):
    path = parts / "test" / "scratch" / "000.png"
    predict_files(detector, [path], tmp_path / "out")
    (row,) = read_predictions([tmp_path / "out" / "predictions.jsonl"])
    head, values = (tmp_path / "out" / "predictions.csv").read_bytes().decode().splitlines()
    columns = "path,anomaly_score,p_value,threshold,decision,region_count,milliseconds,error,remark"
    assert head == columns == ",".join(COLUMNS)
    said = (row.path, row.anomaly_score, row.p_value, row.threshold, row.decision)
    assert values == ",".join(map(str, (*said, len(row.regions), row.milliseconds, "", "")))


def test_a_row_of_before_p_values_is_read_without_one(tmp_path):
    row = json.loads(LINES[0])
    del row["p_value"]
    (found,) = read_predictions([written(tmp_path / "p.jsonl", row)])
    assert found == DEFECTIVE.model_copy(update={"p_value": None})


@pytest.mark.parametrize(
    "changes",
    [
        {"decision": "unreadable"},
        {"anomaly_score": None},
        {"milliseconds": None},
        {"error": "broken"},
        {"decision": "unreadable", "anomaly_score": None, "milliseconds": None},
    ],
)
def test_an_unreadable_image_has_an_error_and_nothing_else_and_any_other_has_none(changes):
    with pytest.raises(ValidationError, match="neither score nor milliseconds"):
        Prediction(**{**vars(DEFECTIVE), **changes})


@pytest.mark.parametrize("name", ["anomaly_score", "p_value", "threshold", "milliseconds"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_row_holds_a_number_that_is_not_finite(name, value):
    with pytest.raises(ValidationError, match="finite number"):
        Prediction(**{**vars(DEFECTIVE), name: value})


GOOD = {
    "path": "a.png",
    "threshold": 1.0,
    "anomaly_score": 0.5,
    "p_value": 0.25,
    "decision": "good",
    "regions": [],
    "milliseconds": 3.5,
    "error": None,
}
WITHOUT_SCORE = {"anomaly_score": None, "milliseconds": None, "decision": "unreadable"}


def written(path, *rows):
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def test_rows_of_several_files_come_in_order_and_unreadable_images_have_no_score(tmp_path):
    unreadable = GOOD | WITHOUT_SCORE | {"error": "broken"}
    first = written(tmp_path / "1.jsonl", GOOD, unreadable | {"later": "version"})
    second = written(tmp_path / "2.jsonl", GOOD | {"path": "größe ✓.png", "anomaly_score": 2})
    rows = list(read_predictions([first, second]))
    assert [(row.path, row.anomaly_score, row.decision) for row in rows] == [
        ("a.png", 0.5, "good"),
        ("a.png", None, "unreadable"),
        ("größe ✓.png", 2.0, "good"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "this is not JSON"),
        (b'{"path": "a.png", "anomaly_sc', "this is not JSON"),
        (b"\xff\xfe", "this is not JSON"),
        (b"[0.5]", "should be an object"),
        ({k: v for k, v in GOOD.items() if k != "path"}, "'path': Field required"),
        (
            {k: v for k, v in GOOD.items() if k != "anomaly_score"},
            "'anomaly_score': Field required",
        ),
        ({k: v for k, v in GOOD.items() if k != "threshold"}, "'threshold': Field required"),
        (GOOD | {"path": 7}, "'path': Input should be a valid string"),
        (GOOD | {"anomaly_score": "0.5"}, "'anomaly_score': Input should be a valid number"),
        (GOOD | {"anomaly_score": True}, "'anomaly_score': Input should be a valid number"),
        (GOOD | {"anomaly_score": float("nan")}, "'anomaly_score': Input should be a finite"),
        (GOOD | {"anomaly_score": float("inf")}, "'anomaly_score': Input should be a finite"),
        (GOOD | {"threshold": None}, "'threshold': Input should be a valid number"),
        (GOOD | {"decision": "bad"}, "'decision': Input should be 'good', 'defective'"),
        (GOOD | {"regions": [REGION | {"peak": "1"}]}, "'regions.0.peak': Input should be a valid"),
        (GOOD | WITHOUT_SCORE, "an unreadable image has an error"),
    ],
)
def test_a_row_that_breaks_a_rule_is_named_with_file_line_and_reason(tmp_path, line, reason):
    file = written(tmp_path / "p.jsonl", GOOD, GOOD, line, GOOD)
    with pytest.raises(DataError, match=r"p\.jsonl, line 3: ") as error:
        list(read_predictions([file]))
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_an_empty_file_is_refused_even_among_others(tmp_path):
    good, empty = written(tmp_path / "good.jsonl", GOOD), written(tmp_path / "empty.jsonl")
    with pytest.raises(DataError, match=r"empty\.jsonl is empty"):
        list(read_predictions([good, empty]))


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.jsonl does not exist"):
        list(read_predictions([tmp_path / "gone.jsonl"]))
    with pytest.raises(DataError, match="cannot be read"):
        list(read_predictions([tmp_path]))
