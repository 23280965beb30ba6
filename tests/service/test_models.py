"""What the service says of its models."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from rcae.base.errors import StorageError
from rcae.evaluation.drift.monitor import Monitor
from rcae.line.inspector import Arrival, Inspector
from rcae.line.record.changes import Loaded
from rcae.line.record.kept_images import KeptImages
from rcae.service.drift_watch import PUBLISHED_EVERY, DriftWatch
from tests.conftest import until
from tests.line.grey_model import CALIBRATION, grey_detector, png
from tests.service.conftest import GOOD, inspect


def apply(client, threshold, reason="glare"):
    body = {"threshold": threshold, "author": "Ada", "reason": reason}
    return client.put("/api/models/grey/threshold", json=body)


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
    applied = apply(client, 0.07)
    assert applied.status_code == 200
    assert (applied.json()["threshold"], applied.json()["calibrated_threshold"]) == (0.07, 0.5)
    assert inspect(client, GOOD).json()["is_defective"] is True
    again = serving()
    assert model(again)["threshold"] == 0.07
    assert inspect(again, GOOD).json()["is_defective"] is True


WRONG_THRESHOLDS = [
    b'{"threshold": NaN, "author": "Ada", "reason": "glare"}',
    b'{"threshold": 1e999, "author": "Ada", "reason": "glare"}',
    b'{"threshold": "0.3", "author": "Ada", "reason": "glare"}',
    b'{"threshold": 0.05, "author": "Ada", "reason": "glare"}',
    b'{"threshold": -1, "author": "Ada", "reason": "glare"}',
    b'{"threshold": 2.31, "author": "Ada", "reason": "glare"}',
    b'{"threshold": 0.3}',
    b'{"threshold": 0.3, "author": "Ada"}',
    b'{"threshold": 0.3, "reason": "glare"}',
    b'{"threshold": 0.3, "author": "1", "reason": "glare"}',
    b'{"threshold": 0.3, "author": "  ", "reason": "glare"}',
    b'{"threshold": 0.3, "author": "Ada", "reason": "   "}',
    b'{"threshold": 0.3, "author": "Ada", "reason": "glare"',
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


def test_a_threshold_far_from_the_calibration_is_refused_with_what_it_allows(client):
    answer = apply(client, 5)
    assert answer.status_code == 422
    assert "above 0.05 and up to 2.3" in answer.json()["detail"]
    told = model(client)
    assert (told["lowest_threshold"], told["highest_threshold"]) == pytest.approx((0.05, 2.3))
    assert apply(client, 2.3).status_code == 200


def test_every_change_is_listed_with_its_author_and_reason(serving, record, kept, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "line3")
    client = serving()
    apply(client, 0.3, reason="glare of the new lamp")
    apply(client, 0.4, reason="decided nothing")
    serving()  # the same model, started again
    known = {"author": "Ada", "reason": "lamp changed"}
    assert client.post("/api/models/grey/drift/acknowledgements", json=known).status_code == 200
    other = grey_detector()
    other.runner.executed_sha256 = "ef" * 32
    Inspector("grey", other, record, kept)
    told = [
        (one["kind"], one["threshold"], one["author"], one["reason"])
        for one in client.get("/api/models/grey/changes").json()
    ]
    assert told == [
        ("model", None, "line3", "loaded first"),
        ("threshold", 0.3, "Ada", "glare of the new lamp"),
        ("threshold", 0.4, "Ada", "decided nothing"),
        ("drift", None, "Ada", "lamp changed"),
        ("model", None, "line3", "loaded instead of another"),
    ]


def test_a_process_without_a_user_name_inspects_all_the_same(serving, monkeypatch):
    def unknown():
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", unknown)
    (change,) = serving().get("/api/models/grey/changes").json()
    assert change["author"] == "unknown user"


def drift(client):
    return client.get("/api/models/grey/drift").json()


def test_drift_that_a_person_acknowledges_is_observed_anew_by_every_process(serving):
    client, other = serving(), serving()
    for _ in range(60):
        inspect(client, png(110))
    assert drift(client)["verdict"] == drift(other)["verdict"] == "more defects"
    url = "/api/models/grey/drift/acknowledgements"
    for wrong in ({"author": "Ada"}, {"author": "2", "reason": "lamp"}, {"reason": "lamp"}):
        assert client.post(url, json=wrong).status_code == 422
    assert drift(client)["verdict"] == "more defects"
    told = client.post(url, json={"author": "Ada", "reason": "lamp changed"}).json()
    assert (told["verdict"], told["images"], told["points"]) == ("no drift", 0, [])
    inspect(client, png(30))
    for process in (client, other, serving()):
        assert (drift(process)["verdict"], drift(process)["images"]) == ("no drift", 1)


def test_drift_starts_again_with_another_calibration(serving, record, kept):
    client = serving()
    for _ in range(3):
        inspect(client, GOOD)
    assert drift(client)["images"] == 3
    other = grey_detector()
    calibration = CALIBRATION.model_copy(update={"threshold": 0.6})
    other.runner.header = SimpleNamespace(
        calibration=calibration, working_view=other.header.working_view
    )
    Inspector("grey", other, record, kept)
    assert drift(client)["images"] == 0


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


@pytest.mark.parametrize("path", ["drift", "card", "changes"])
def test_an_unknown_model_is_404(client, path):
    assert client.get(f"/api/models/other/{path}").status_code == 404
    body = {"threshold": 1.0, "author": "Ada", "reason": "glare"}
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

    changes = SimpleNamespace(drift_starts_after=lambda _: 0)
    drift_states = SimpleNamespace(load=lambda *_: None, save=lambda *_: None)

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
    assert not watch.is_complete
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
    assert set(np.diff(images)) <= {2, 4}


def test_after_a_restart_drift_reads_only_what_came_after_it_was_saved(
    record, tmp_path, monkeypatch
):
    monkeypatch.setattr("rcae.service.drift_watch.SAVED_EVERY", 50)
    random = np.random.default_rng(0)
    inspector = Inspector("grey", grey_detector(), record, KeptImages(tmp_path / "none", 0))
    levels = [*random.integers(26, 102, 60), *random.integers(80, 140, 60)]

    def watch():
        return DriftWatch(record, "grey", "ab" * 32, CALIBRATION)

    first = watch()
    for start in range(0, 120, 20):
        inspector.inspect([Arrival("a", png(int(level))) for level in levels[start : start + 20]])
        before = first.now(20)
    read, each = [], record.each
    monkeypatch.setattr(record, "each", lambda query: read.append(query) or each(query))
    assert watch().now(20) == before
    assert [query.number_above for query in read] == [120]
    other = CALIBRATION.model_copy(update={"scores": (0.1, 0.2, 0.3, 0.45)})
    DriftWatch(record, "grey", "ab" * 32, other).now(20)
    assert read[-1].number_above == 0  # what was saved belongs to another calibration
    loaded = Loaded("grey", "ab" * 32, "cd" * 32, 0.5)
    record.changes.acknowledge_drift(loaded, "Ada", "lamp", datetime.now(UTC))
    assert watch().now(20).images == 0
