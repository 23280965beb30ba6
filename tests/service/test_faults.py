"""A locked record and a full disk, as they really are."""

import shutil
import sqlite3
from types import SimpleNamespace

import pytest

from rcae.base.errors import DeliveryError
from rcae.line.outputs.delivery import Delivery
from rcae.line.record import database
from rcae.line.record.inspection import Query
from rcae.line.record.rows import row_of
from tests.conftest import until
from tests.service.conftest import GOOD, inspect


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(database, "PATIENCE_S", 0.05)


def test_a_locked_record_refuses_until_it_is_free_again(impatient, client, record, tmp_path):
    other = sqlite3.connect(tmp_path / "inspections.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        answer = inspect(client, GOOD)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "locked" in answer.json()["detail"]
    assert client.get("/api/inspections").json() == {"inspections": []}  # readers never wait
    other.execute("ROLLBACK")
    other.close()
    assert inspect(client, GOOD).status_code == 201
    assert record.count(Query()) == 1


def test_a_damaged_record_is_said_by_every_answer_that_needs_it(client, tmp_path):
    inspect(client, GOOD)
    for file in tmp_path.glob("inspections.sqlite*"):
        if not file.name.endswith(".lock"):
            file.write_bytes(b"no database" * 1000)
    assert client.get("/api/inspections").status_code == 503
    assert inspect(client, GOOD).status_code == 503
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200


def test_a_record_that_is_removed_while_in_use_is_refused_until_it_is_back(
    client, record, tmp_path, said
):
    inspect(client, GOOD)
    file, away = tmp_path / "inspections.sqlite", tmp_path / "away.sqlite"
    file.rename(away)
    for _ in range(2):
        assert inspect(client, GOOD).status_code == 503
        assert client.get("/api/inspections").status_code == 503
        answer = client.get("/ready")
        assert (answer.status_code, "cannot be used" in str(answer.json())) == (503, True)
        assert str(tmp_path) not in answer.text  # which anybody may ask for
    assert said().count("was removed or replaced while in use") == 1
    assert not file.exists()
    file.write_bytes(away.read_bytes())  # a copy is another file
    assert inspect(client, GOOD).status_code == 503
    away.rename(file)
    assert client.get("/ready").status_code == 200
    assert inspect(client, GOOD).status_code == 201
    assert record.count(Query()) == 2


def test_a_record_that_is_removed_during_a_write_is_not_said_to_hold_it(
    client, tmp_path, monkeypatch
):
    inspect(client, GOOD)

    def remove(row):
        (tmp_path / "inspections.sqlite").unlink(missing_ok=True)
        return row_of(row)

    monkeypatch.setattr("rcae.line.record.record.row_of", remove)
    assert inspect(client, GOOD).status_code == 503


def test_where_no_picture_can_be_kept_the_inspection_is(client, tmp_path, said):
    (tmp_path / "images").write_text("in the way")
    found = [inspect(client, GOOD) for _ in range(2)]
    assert [answer.status_code for answer in found] == [201, 201]
    assert 'rcae_pictures_not_kept{model="grey"} 2.0' in client.get("/metrics").text
    assert said().count("pictures are not kept") == 1
    (tmp_path / "images").unlink()
    assert client.get(f"/api/inspections/{found[0].json()['id']}/image").status_code == 410
    later = inspect(client, GOOD).json()["id"]
    assert client.get(f"/api/inspections/{later}/image").content == GOOD


def free(monkeypatch, mib):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=mib * 2**20))


def test_on_a_full_disk_pictures_go_before_the_record_and_ready_says_it(
    client, record, tmp_path, monkeypatch, said
):
    first = inspect(client, GOOD).json()["id"]
    until(lambda: client.get("/ready").json()["warnings"] == [])
    free(monkeypatch, 200)
    second = inspect(client, GOOD)
    assert second.status_code == 201
    assert record.count(Query()) == 2
    for id_ in (first, second.json()["id"]):
        assert client.get(f"/api/inspections/{id_}/image").status_code == 410
    assert "reserved for the record" in said()
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert "256 MiB are free" in answer.json()["warnings"][0]
    free(monkeypatch, 1000)
    assert client.get("/ready").json()["warnings"] == []
    third = inspect(client, GOOD).json()["id"]
    assert client.get(f"/api/inspections/{third}/image").status_code == 200


def test_a_damaged_picture_is_said_to_be_one_and_is_no_error_of_the_record(client, tmp_path):
    url = f"/api/inspections/{inspect(client, GOOD).json()['id']}"
    (file,) = (tmp_path / "images").rglob("*.zip")
    file.write_bytes(file.read_bytes()[:100])
    for kind in ("image", "map", "heatmap", "overlay", "picture"):
        answer = client.get(f"{url}/{kind}")
        assert answer.status_code == 503
        assert "only a picture is lost" in answer.json()["detail"]
    assert "rcae_record_errors_total 0.0" in client.get("/metrics").text


class Away:
    """An output whose receiver is never there."""

    title, reader = "mqtt://broker/parts", "away-1"

    def send(self, inspection):
        raise DeliveryError("nobody listens.")

    def close(self):
        pass


def test_an_output_whose_receiver_is_away_shows_in_the_metrics(serving, record):
    delivery = Delivery(record, Away())
    client = serving(deliveries=[delivery])
    for _ in range(3):
        inspect(client, GOOD)
    delivery.start()
    until(lambda: delivery.is_failing)
    text = client.get("/metrics").text
    delivery.ask_to_stop()
    delivery.join()
    assert 'rcae_output_behind{output="mqtt://broker/parts"} 3.0' in text
    assert 'rcae_output_dead_letters{output="mqtt://broker/parts"} 0.0' in text
    assert 'rcae_output_failing{output="mqtt://broker/parts"} 1.0' in text


def test_what_an_output_refused_shows_in_the_metrics_and_is_listed(serving, record):
    delivery = Delivery(record, Away())
    client = serving(deliveries=[delivery])
    first = inspect(client, GOOD).json()
    record.dead_letters.add(Away.reader, Away.title, first["number"], "it answers 422.")
    told = client.get("/api/dead-letters").json()
    assert told["counts"] == {Away.title: 1}
    (letter,) = told["dead_letters"]
    assert (letter["inspection_id"], letter["reason"]) == (first["id"], "it answers 422.")
    text = client.get("/metrics").text
    assert f'rcae_output_dead_letters{{output="{Away.title}"}} 1.0' in text
