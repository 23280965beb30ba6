"""What the service says of its models."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from rcae.base.errors import StorageError
from rcae.evaluation.drift.monitor import Monitor
from rcae.line.inspector import Arrival, Inspector
from rcae.line.record.kept_images import KeptImages
from rcae.service.drift_watch import PUBLISHED_EVERY, DriftWatch
from tests.conftest import until
from tests.line.grey_model import CALIBRATION, grey_detector, png
from tests.service.conftest import GOOD, inspect


def model(client):
    (only,) = client.get("/api/models").json()
    return only


def test_a_model_tells_its_calibration(client):
    told = model(client)
    assert told["name"] == "grey"
    assert told["model_sha256"] == "ab" * 32
    assert told["executed_sha256"] == "cd" * 32
    assert (told["threshold"], told["calibrated_threshold"]) == (0.5, 0.5)
    assert told["calibration_scores"] == [0.1, 0.2, 0.3, 0.4]
    assert told["typical_value"] == 0.05
    assert "4 calibration images" in told["promise"]
    assert (told["changed_on_disk"], told["has_card"]) == (False, False)


def test_an_applied_threshold_decides_at_once_and_after_a_restart(serving):
    client = serving()
    applied = client.put("/api/models/grey/threshold", json={"threshold": 0.07, "author": "Ada"})
    assert applied.status_code == 200
    assert (applied.json()["threshold"], applied.json()["calibrated_threshold"]) == (0.07, 0.5)
    assert inspect(client, GOOD).json()["is_defective"] is True
    again = serving()
    assert model(again)["threshold"] == 0.07
    assert inspect(again, GOOD).json()["is_defective"] is True


WRONG_THRESHOLDS = [
    b'{"threshold": NaN, "author": "Ada"}',
    b'{"threshold": 1e999, "author": "Ada"}',
    b'{"threshold": "0.3", "author": "Ada"}',
    b'{"threshold": 0.05, "author": "Ada"}',
    b'{"threshold": -1, "author": "Ada"}',
    b'{"threshold": 0.3}',
    b'{"threshold": 0.3, "author": "Ada"',
    b"[]",
    b"\xff",
    b"",
]


def test_a_threshold_that_makes_no_sense_is_refused(client):
    header = {"content-type": "application/json"}
    for body in WRONG_THRESHOLDS:
        answer = client.put("/api/models/grey/threshold", content=body, headers=header)
        assert answer.status_code in (400, 422)
        assert isinstance(answer.json()["detail"], str)
    assert model(client)["threshold"] == 0.5


def test_a_replaced_file_is_noticed_and_the_loaded_model_goes_on(client, tmp_path):
    file = tmp_path / "runs" / "grey" / "model.safetensors"
    score = inspect(client, GOOD).json()["anomaly_score"]
    file.write_bytes(b"first")
    assert model(client)["changed_on_disk"] is False
    file.write_bytes(b"other")
    assert model(client)["changed_on_disk"] is True
    assert client.get("/ready").status_code == 200
    assert inspect(client, GOOD).json()["anomaly_score"] == score
    file.unlink()
    assert model(client)["changed_on_disk"] is True
    file.write_bytes(b"first")
    assert model(client)["changed_on_disk"] is False


def test_a_card_is_shown_without_scripts_once_it_was_made(client, tmp_path):
    missing = client.get("/api/models/grey/card")
    assert missing.status_code == 404
    assert "rcae card" in missing.json()["detail"]
    (tmp_path / "runs" / "grey" / "card.html").write_text("<h1>Card</h1>")
    assert model(client)["has_card"] is True
    card = client.get("/api/models/grey/card")
    assert card.text == "<h1>Card</h1>"
    assert card.headers["content-type"].startswith("text/html")
    assert "sandbox" in card.headers["content-security-policy"]
    assert "script" not in card.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["drift", "card"])
def test_an_unknown_model_is_404(client, path):
    assert client.get(f"/api/models/other/{path}").status_code == 404
    body = {"threshold": 1.0, "author": "Ada"}
    assert client.put("/api/models/other/threshold", json=body).status_code == 404


def test_drift_says_what_the_monitor_says_of_all_that_is_recorded(serving, record, kept):
    client = serving()
    random = np.random.default_rng(0)
    scores = np.concatenate([random.integers(26, 102, 30), random.integers(140, 255, 30)])
    empty = client.get("/api/models/grey/drift").json()
    assert (empty["images"], empty["points"], empty["since"]) == (0, [], None)
    for level in scores[:25]:
        inspect(client, png(int(level)))
    assert client.get("/api/models/grey/drift").json()["images"] == 25
    for level in scores[25:]:
        inspect(client, png(int(level)))
    monitor = Monitor(CALIBRATION)
    states = [monitor.observe(float(np.float32(level) / np.float32(255))) for level in scores]
    for asked in (client, serving()):  # brought up to date, and rebuilt
        told = asked.get("/api/models/grey/drift").json()
        assert told["verdict"] == states[-1].verdict.value == "everything shifted up"
        assert (told["seen"], told["since"]) == (states[-1].seen, states[-1].since)
        assert told["alarm_evidence"] == monitor.alarm_evidence
        assert [point["number"] for point in told["points"]] == list(range(1, 61))
        assert [point["shift_evidence"] for point in told["points"]] == pytest.approx(
            [state.shift_evidence for state in states]
        )


class _SlowRecord:
    """A record whose rows come only once the test lets them, or fail."""

    def __init__(self, count):
        self.count, self.go_on, self.asked = count, threading.Event(), 0

    def each(self, query):
        self.asked += 1
        for number in range(1, self.count + 1):
            if number > PUBLISHED_EVERY + 1:
                self.go_on.wait(20)
            if (query.number_above or 0) < number:
                yield SimpleNamespace(number=number, anomaly_score=0.2)


def test_drift_of_a_long_record_answers_at_once_with_what_is_read_so_far():
    record = _SlowRecord(PUBLISHED_EVERY + 100)
    watch = DriftWatch(record, "grey", "ab" * 32, CALIBRATION)
    until(lambda: watch.now(0).images == PUBLISHED_EVERY)
    with ThreadPoolExecutor(45) as threads:
        found = list(threads.map(lambda _: watch.now(0), range(45)))
    assert {(drift.images, drift.is_complete) for drift in found} == {(PUBLISHED_EVERY, False)}
    assert record.asked == 1
    record.go_on.set()
    until(lambda: watch.now(0).is_complete)
    assert watch.now().images == PUBLISHED_EVERY + 100


def test_drift_says_that_the_record_cannot_be_read_and_goes_on_later(record):
    watch = DriftWatch(record, "grey", "ab" * 32, CALIBRATION)
    each = record.each

    def refuse(query):
        raise StorageError("the disk is gone.")

    record.each = refuse
    with pytest.raises(StorageError, match="the disk is gone"):
        watch.now(20)
    record.each = each
    assert watch.now(20).is_complete


def test_many_points_are_thinned_out_and_the_last_one_stays(serving, record, tmp_path):
    nothing_kept = KeptImages(tmp_path / "none", 0)
    inspector = Inspector("grey", grey_detector(), record, nothing_kept)
    inspector.inspect([Arrival("a", GOOD)] * 1003)
    points = serving().get("/api/models/grey/drift").json()["points"]
    images = [point["images"] for point in points]
    assert (len(images), images[0], images[-1]) == (500, 1, 1003)
    assert set(np.diff(images)) <= {2, 3}
