"""Rows of predictions.jsonl: what is read, and what is refused with file and line."""

import json

import pytest

from rcae.base.errors import DataError, UsageError
from rcae.detector.predictions_file import Prediction, read_predictions

GOOD = {"path": "a.png", "anomaly_score": 0.5, "threshold": 1.0, "decision": "good", "regions": []}


def written(path, *rows):
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def test_rows_of_several_files_come_in_order_and_unreadable_images_have_no_score(tmp_path):
    first = written(tmp_path / "1.jsonl", GOOD, GOOD | {"anomaly_score": None})
    second = written(tmp_path / "2.jsonl", GOOD | {"path": "größe ✓.png", "anomaly_score": 2})
    rows = list(read_predictions([first, second]))
    assert rows == [
        Prediction(path="a.png", anomaly_score=0.5, threshold=1.0),
        Prediction(path="a.png", anomaly_score=None, threshold=1.0),
        Prediction(path="größe ✓.png", anomaly_score=2.0, threshold=1.0),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "this is not JSON"),
        (b'{"path": "a.png", "anomaly_sc', "this is not JSON"),
        (b"\xff\xfe", "this is not JSON"),
        (b"[0.5]", "should be an object"),
        ({"anomaly_score": 0.5, "threshold": 1.0}, "'path': Field required"),
        ({"path": "a.png", "threshold": 1.0}, "'anomaly_score': Field required"),
        ({"path": "a.png", "anomaly_score": 0.5}, "'threshold': Field required"),
        (GOOD | {"path": 7}, "'path': Input should be a valid string"),
        (GOOD | {"anomaly_score": "0.5"}, "'anomaly_score': Input should be a valid number"),
        (GOOD | {"anomaly_score": True}, "'anomaly_score': Input should be a valid number"),
        (GOOD | {"anomaly_score": float("nan")}, "'anomaly_score': Input should be a finite"),
        (GOOD | {"anomaly_score": float("inf")}, "'anomaly_score': Input should be a finite"),
        (GOOD | {"threshold": None}, "'threshold': Input should be a valid number"),
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
