"""Images in, inspections out: every answer that the contract names."""

import threading

import pytest
from starlette.concurrency import run_in_threadpool

from rcae.base.errors import StorageError
from rcae.base.interruption import require_going_on
from rcae.line.record.inspection import Query
from rcae.service.batching import Batcher
from rcae.service.limits import Limits
from tests.conftest import until
from tests.line.grey_model import TOO_LARGE_PX, GreyRunner, png
from tests.service.conftest import DEFECTIVE, GOOD, inspect

BATCH = "/api/models/grey/batches"


def in_background(count, ask):
    """Ask so many times at once; the answers, complete once all threads are joined."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask())) for _ in range(count)]
    for thread in threads:
        thread.start()
    return answers, threads


def test_an_image_is_answered_with_its_recorded_inspection(client, record):
    answer = inspect(client, DEFECTIVE, "left.png")
    assert answer.status_code == 201
    found = answer.json()
    assert found["anomaly_score"] == pytest.approx(200 / 255)
    assert (found["source"], found["model"], found["number"]) == ("left.png", "grey", 1)
    assert (found["model_sha256"], found["executed_sha256"]) == ("ab" * 32, "cd" * 32)
    assert (found["width_px"], found["height_px"]) == (20, 16)
    assert found["is_defective"] is True
    assert found["regions"][0]["area_px"] == 320
    assert found["reviews"] == []
    assert found["time"].endswith("Z")
    assert record.get(found["id"]).image_sha256 == found["image_sha256"]
    assert client.get(f"/api/inspections/{found['id']}").json() == found


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_every_format_is_read_and_given_back_as_it_came(client, kind):
    content = png(200, kind=kind)
    found = inspect(client, content).json()
    image = client.get(f"/api/inspections/{found['id']}/image")
    assert image.content == content
    assert image.headers["content-type"] == f"image/{kind.lower()}"
    assert image.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 422, "is empty"),
        (b"<svg onload='alert(1)'/>", 415, "is not a PNG, JPEG, BMP, TIFF"),
        (png(9, size=(300, 200), kind="JPEG")[:-200], 422, "is damaged"),
        (png(1, size=(15, 20)), 422, "at least 16 px"),
        (png(1, size=(TOO_LARGE_PX, 16)), 422, "too large for this model"),
    ],
)
def test_what_is_no_usable_image_is_refused_and_nothing_recorded(
    client, record, content, status, words
):
    answer = inspect(client, content)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert record.count(Query()) == 0


def test_a_decompression_bomb_is_refused_by_its_header(serving, record):
    client = serving(Limits(pixels=1000))
    answer = inspect(client, png(0, size=(200, 200)))
    assert answer.status_code == 422
    assert "200x200 px" in answer.json()["detail"]
    bomb = inspect(client, png(0, size=(12_000, 10_000), kind="BMP")[:2000])
    assert bomb.status_code == 422
    assert "megapixels" in bomb.json()["detail"]
    assert record.count(Query()) == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "../../etc/passwd"),
        ("\x7f\x1b[31mred.png", "\\x7f\\x1b[31mred.png"),
        ("x" * 900, "x" * 200),
        ("ä 部品.png", "ä 部品.png"),
    ],
)
def test_a_name_is_shown_and_never_used(client, kept, tmp_path, name, shown):
    before = {path for path in tmp_path.rglob("*") if "images" not in path.parts}
    answer = inspect(client, GOOD, name)
    assert answer.status_code == 201
    assert answer.json()["source"] == shown
    assert {path for path in tmp_path.rglob("*") if "images" not in path.parts} == before
    assert all(answer.json()["id"] in path.name for path in (tmp_path / "images").glob("??/*"))


def test_requests_that_are_no_form_with_the_file(client):
    url = "/api/models/grey/inspections"
    assert client.post(url, content=GOOD).status_code == 415
    assert client.post(url, json={"image": "x"}).status_code == 415
    assert client.post(url, data={"image": "x"}).status_code == 415
    assert client.post(url, files={"picture": ("a.png", GOOD)}).status_code == 422
    broken = {"content-type": "multipart/form-data"}
    assert client.post(url, content=GOOD, headers=broken).status_code == 422
    wrong_boundary = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post(url, content=GOOD, headers=wrong_boundary).status_code == 422
    two = [("image", ("a.png", GOOD)), ("image", ("b.png", GOOD))]
    assert client.post(url, files=two).status_code == 413


def test_a_form_is_known_by_its_media_type_however_it_is_written(client):
    form = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n%b\r\n--b--\r\n'
    )
    for media_type, status in (
        ("Multipart/Form-Data; boundary=b", 201),
        ("multipart/form-data ;boundary=b", 201),
        ("multipart/form-database; boundary=b", 415),
    ):
        answer = client.post(
            "/api/models/grey/inspections",
            content=form % GOOD,
            headers={"content-type": media_type},
        )
        assert answer.status_code == status, media_type


def test_an_unknown_model_is_404_even_where_the_image_is_bad(client):
    for model in ("other", "grey%2F..", "%00", "GREY"):
        assert inspect(client, b"", model=model).status_code == 404


def test_an_upload_above_the_limit_is_cut_off_and_not_read_to_its_end(serving):
    client = serving(Limits(upload_bytes=10_000, batch_bytes=20_000))
    sent = []

    def pieces():
        yield b"--b\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n"
        for _ in range(1000):
            sent.append(1)
            yield bytes(1000)

    header = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/api/models/grey/inspections", content=pieces(), headers=header)
    assert answer.status_code == 413
    announced = client.post("/api/models/grey/inspections", content=bytes(10_001), headers=header)
    assert announced.status_code == 413
    assert announced.headers["connection"] == "close"
    assert client.post(BATCH, content=bytes(20_001), headers=header).status_code == 413


def test_all_uploads_together_may_hold_so_much_memory_and_give_it_back(serving):
    client = serving(Limits(memory_bytes=5000))
    for _ in range(3):
        refused = inspect(client, png(9, size=(200, 200), kind="BMP"))
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
    for _ in range(100):
        assert inspect(client, GOOD).status_code == 201


def test_a_batch_is_answered_in_order_with_errors_in_place(client, record):
    contents = {"a.png": GOOD, "b.txt": b"text", "c.png": DEFECTIVE, "d.png": png(7, size=(40, 30))}
    answer = client.post(BATCH, files=[("images", item) for item in contents.items()])
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [one["source"] for one in results] == list(contents)
    assert [one.get("is_defective") for one in results] == [False, None, True, False]
    assert set(results[1]) == {"source", "error"}
    assert record.count(Query()) == 3
    alone = [inspect(client, contents[name]).json() for name in ("a.png", "c.png", "d.png")]
    together = [one for one in results if "error" not in one]
    assert [one["anomaly_score"] for one in together] == pytest.approx(
        [one["anomaly_score"] for one in alone], rel=1e-6
    )


def test_a_batch_of_nothing_usable_is_answered_and_too_many_are_refused(serving):
    client = serving(Limits(batch_images=3))
    nothing = client.post(BATCH, files=[("images", ("a", b"x"))] * 3)
    assert [set(one) for one in nothing.json()["results"]] == [{"source", "error"}] * 3
    assert client.post(BATCH, files=[("images", ("a", GOOD))] * 4).status_code == 413


def test_a_full_queue_refuses_at_once_and_loses_nothing(serving, record, gate):
    client = serving(Limits(queue_images=3, images_at_once=1))
    waiting = 'rcae_waiting_images{model="grey"} '
    gate.clear()
    first, inspected = in_background(1, lambda: inspect(client, GOOD))
    assert gate.reached.wait(20)
    answers, threads = in_background(3, lambda: inspect(client, GOOD))
    until(lambda: waiting + "3.0" in client.get("/metrics").text)
    refused = inspect(client, GOOD)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert client.post(BATCH, files=[("images", ("a", GOOD))]).status_code == 503
    gate.set()
    for thread in inspected + threads:
        thread.join()
    assert [answer.status_code for answer in first + answers] == [201] * 4
    recorded = {one.id for one in record.each(Query())}
    assert recorded == {answer.json()["id"] for answer in first + answers}
    assert inspect(client, GOOD).status_code == 201


def test_what_takes_too_long_is_504_and_still_recorded_if_it_is_drawn_already(
    serving, record, gate
):
    client = serving(Limits(answer_s=0.05))
    gate.clear()
    answer = inspect(client, GOOD, "slow.png")
    assert answer.status_code == 504
    assert "look for it in /api/inspections" in answer.json()["detail"]
    gate.set()
    until(lambda: record.count(Query()) == 1)
    assert client.get("/api/inspections").json()["inspections"][0]["source"] == "slow.png"
    counted = 'rcae_inspection_seconds_count{model="grey"} 1.0'
    until(lambda: counted in client.get("/metrics").text)
    assert 'rcae_inspections_total{decision="good",model="grey"} 1.0' in client.get("/metrics").text


def test_an_image_that_would_take_longer_than_its_time_is_refused_before_it_waits(
    client, record, monkeypatch
):
    monkeypatch.setattr(Batcher, "least_s", lambda _, work_px: work_px / 1000)
    large = png(20, size=(300, 201))
    refused = inspect(client, large)
    assert refused.status_code == 422
    assert "300x201 px and would take at least 60 s" in refused.json()["detail"]
    results = client.post(BATCH, files=[("images", ("a", large)), ("images", ("b", GOOD))]).json()
    assert "shrink it" in results["results"][0]["error"]
    assert results["results"][1]["source"] == "b"
    assert inspect(client, png(20, size=(300, 200))).status_code == 201
    assert record.count(Query()) == 2


def inspect_by_key(client, content, key, name="a.png"):
    files, headers = {"image": (name, content)}, {"Idempotency-Key": key}
    return client.post("/api/models/grey/inspections", files=files, headers=headers)


def test_an_image_sent_again_with_its_key_is_inspected_once_by_all_processes(serving, record):
    client, other = serving(), serving()
    first = inspect_by_key(client, GOOD, "station-3/0001")
    assert first.status_code == 201
    for process in (client, other):
        again = inspect_by_key(process, GOOD, "station-3/0001", "b.png")
        assert (again.status_code, again.json()) == (201, first.json())
    assert record.count(Query()) == 1
    mixed = inspect_by_key(client, DEFECTIVE, "station-3/0001")
    assert (mixed.status_code, "another image" in mixed.json()["detail"]) == (422, True)
    assert inspect_by_key(client, GOOD, "station-3/0002").json()["id"] != first.json()["id"]
    assert record.count(Query()) == 2
    assert inspect_by_key(client, GOOD, "short").status_code == 422


def test_an_image_sent_twice_at_once_with_its_key_is_recorded_once(client, record, gate):
    gate.clear()
    answers, threads = in_background(2, lambda: inspect_by_key(client, GOOD, "station-3/0001"))
    assert gate.reached.wait(20)
    gate.set()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert record.count(Query()) == 1


def test_a_field_of_the_form_that_is_not_known_is_refused(client, record):
    files = {"image": ("a.png", GOOD)}
    url = "/api/models/grey/inspections"
    answer = client.post(url, files=files, data={"serial": "12"})
    assert answer.status_code == 422
    assert "field 'serial' is not known" in answer.json()["detail"]
    assert record.count(Query()) == 0


@pytest.fixture
def endless(monkeypatch):
    """An image of the width 64 has tiles without end; set once the first is being drawn."""
    drawing, maps = threading.Event(), GreyRunner.maps

    def draw(self, images):
        if images[0].shape[1] == 64:
            drawing.set()
            until(require_going_on)
        return maps(self, images)

    monkeypatch.setattr(GreyRunner, "maps", draw)
    return drawing


ENDLESS = png(20, size=(64, 20))


def test_an_image_over_its_time_is_stopped_and_the_line_goes_on(serving, record, endless):
    client = serving(Limits(answer_s=0.2))
    assert inspect(client, ENDLESS).status_code == 504
    assert inspect(client, GOOD, "next.png").status_code == 201
    assert [one.source for one in record.each(Query())] == ["next.png"]


def test_an_image_whose_client_leaves_is_stopped_and_the_line_goes_on(client, record, endless):
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    body = head + ENDLESS + b"\r\n--b--\r\n"
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/models/grey/inspections",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=b")],
    }
    pieces, answer = [{"type": "http.request", "body": body}], []

    async def receive():
        if pieces:
            return pieces.pop()
        await run_in_threadpool(endless.wait, 20)
        return {"type": "http.disconnect"}

    async def send(message):
        answer.append(message)

    client.portal.call(client.app, scope, receive, send)
    assert answer[0]["status"] == 400
    assert inspect(client, GOOD, "next.png").status_code == 201
    assert [one.source for one in record.each(Query())] == ["next.png"]


def test_a_batch_has_a_limit_of_its_own_however_many_images_it_has(serving, record, gate):
    client = serving(Limits(batch_s=0.05))
    gate.clear()
    answer = client.post(BATCH, files=[("images", ("a", GOOD))] * 3)
    assert answer.status_code == 504
    assert "longer than 0.05 s" in answer.json()["detail"]
    gate.set()
    until(lambda: record.count(Query()) == 3)


def test_while_the_record_refuses_nothing_is_acknowledged_and_it_recovers(
    client, record, monkeypatch
):
    with monkeypatch.context() as patch:
        for method in ("add", "count", "find", "threshold"):

            def refuse(*_, **__):
                raise StorageError("database is locked")

            patch.setattr(record, method, refuse)
        answer = inspect(client, GOOD)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "locked" in answer.json()["detail"]
        assert client.get("/api/inspections").status_code == 503
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200
    assert record.count(Query()) == 0
    assert inspect(client, GOOD).status_code == 201
    assert client.get("/ready").status_code == 200
    assert "rcae_record_errors_total 2.0" in client.get("/metrics").text


def test_a_fault_of_the_model_is_500_without_details_and_the_next_image_is_inspected(
    client, monkeypatch
):
    from tests.line.grey_model import GreyRunner

    def fail(*_):
        raise RuntimeError("secret")

    with monkeypatch.context() as patch:
        patch.setattr(GreyRunner, "maps", fail)
        answer = inspect(client, GOOD)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert 'rcae_refused_requests_total{status="500"} 1.0' in client.get("/metrics").text
    assert inspect(client, GOOD).status_code == 201


def test_counts_of_decisions_are_exported(client):
    inspect(client, GOOD)
    inspect(client, DEFECTIVE)
    inspect(client, DEFECTIVE)
    inspect(client, b"x")
    text = client.get("/metrics").text
    assert 'rcae_inspections_total{decision="good",model="grey"} 1.0' in text
    assert 'rcae_inspections_total{decision="defective",model="grey"} 2.0' in text
    assert 'rcae_unusable_images_total{model="grey"} 1.0' in text
    assert 'rcae_refused_requests_total{status="415"} 1.0' in text
    assert 'rcae_inspection_seconds_count{model="grey"} 3.0' in text
    assert 'rcae_drift_evidence{kind="shift",model="grey"}' in text
