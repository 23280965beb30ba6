"""What was inspected is found again, looked at and judged."""

import io
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from rcae.data.image_files import ImageContent
from rcae.data.images import read_image
from tests.line.grey_model import png
from tests.service.conftest import DEFECTIVE, GOOD, inspect


@pytest.fixture
def inspected(client):
    """Of levels 20, 40, ... 240, oldest first."""
    return [inspect(client, png(level), f"{level}.png").json() for level in range(20, 241, 20)]


def numbers(client, **query):
    answer = client.get("/api/inspections", params=query)
    assert answer.status_code == 200
    return [one["number"] for one in answer.json()["inspections"]]


def test_the_newest_come_first_and_pages_follow_one_another(client, inspected):
    assert numbers(client) == list(range(12, 0, -1))
    assert numbers(client, limit=5) == [12, 11, 10, 9, 8]
    assert numbers(client, limit=5, below=8) == [7, 6, 5, 4, 3]
    assert numbers(client, above=10) == [12, 11]


def test_conditions_are_joined(client, inspected):
    assert numbers(client, is_defective=True) == [12, 11, 10, 9, 8, 7]
    assert numbers(client, is_defective=False, source="4") == [2]
    assert numbers(client, borderline=0.1) == [7, 6]  # 140 and 120 of 255, around 0.5
    assert numbers(client, model="other") == []
    moment = inspected[5]["time"]
    assert numbers(client, since=moment) == [12, 11, 10, 9, 8, 7, 6]
    assert numbers(client, until=moment) == [5, 4, 3, 2, 1]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert numbers(client, since=tomorrow) == []


WRONG_QUERIES = [
    {"limit": 0},
    {"limit": 501},
    {"below": -1},
    {"above": 2**63},
    {"borderline": "nan"},
    {"since": "2026-11-01T00:00:00"},
    {"since": "0001-01-01T00:00:00+14:00"},
    {"reviewed": "maybe"},
    {"is_defective": "perhaps"},
    {"source": "x" * 301},
    {"defective": True},
    {"limit": 5, "below ": 3},
]
WRONG_REVIEWS = [
    {"verdict": "maybe", "author": "Ada"},
    {"verdict": "good"},
    {"verdict": "good", "author": ""},
    {"verdict": "good", "author": "A" * 101},
    {"verdict": "good", "author": "Ada", "note": "x" * 2001},
    {"verdict": "good", "author": 5},
    {"verdict": "good", "author": "Ada", "time": "now"},
]


def test_a_value_that_breaks_a_rule_is_named(client):
    for query in WRONG_QUERIES:
        answer = client.get("/api/inspections", params=query)
        assert answer.status_code == 422
        assert isinstance(answer.json()["detail"], str)


def test_a_review_is_added_and_the_last_word_counts(client, inspected):
    id_ = inspected[0]["id"]
    first = {"verdict": "defect", "author": "Ada", "note": "scratch\nleft"}
    answer = client.post(f"/api/inspections/{id_}/reviews", json=first)
    assert answer.status_code == 201
    assert answer.json()["reviews"][0] | first == answer.json()["reviews"][0]
    assert numbers(client, reviewed="defect") == [1]
    client.post(f"/api/inspections/{id_}/reviews", json={"verdict": "good", "author": "Bob"})
    assert numbers(client, reviewed="good") == [1]
    assert numbers(client, reviewed="defect") == []
    assert 1 not in numbers(client, reviewed="not")
    reviews = client.get(f"/api/inspections/{id_}").json()["reviews"]
    assert [one["author"] for one in reviews] == ["Ada", "Bob"]


def test_a_review_that_breaks_a_rule_is_refused(client, inspected):
    for body in WRONG_REVIEWS:
        answer = client.post(f"/api/inspections/{inspected[0]['id']}/reviews", json=body)
        assert answer.status_code == 422
    assert numbers(client, reviewed="not")[-1] == 1


def test_control_characters_in_what_people_say_are_made_visible(client, inspected):
    url = f"/api/inspections/{inspected[0]['id']}/reviews"
    said = client.post(url, json={"verdict": "good", "author": "A\x00\x1b", "note": "\x00x"})
    assert said.json()["reviews"][0]["author"] == "A\\x00\\x1b"
    assert said.json()["reviews"][0]["note"] == "\\x00x"
    surrogate = client.post(
        url,
        content=b'{"verdict": "good", "author": "\\ud800"}',
        headers={"content-type": "application/json"},
    )
    assert surrogate.status_code == 422


def test_an_unknown_id_is_404(client):
    for kind in ("", "/image", "/map", "/heatmap", "/overlay", "/picture"):
        for id_ in ("0" * 32, "x", "..%2F..%2Finspections.sqlite", "%00"):
            assert client.get(f"/api/inspections/{id_}{kind}").status_code == 404


def test_a_review_of_an_unknown_id_is_404(client):
    review = {"verdict": "good", "author": "Ada"}
    assert client.post(f"/api/inspections/{'0' * 32}/reviews", json=review).status_code == 404


def test_a_picture_that_is_kept_no_more_is_410_and_its_inspection_stays(client, tmp_path):
    id_ = inspect(client, GOOD).json()["id"]
    for file in (tmp_path / "images").rglob("*.*"):
        file.unlink()
    for kind in ("image", "map", "heatmap", "overlay", "picture"):
        assert client.get(f"/api/inspections/{id_}/{kind}").status_code == 410
    assert client.get(f"/api/inspections/{id_}").status_code == 200


def opened(answer):
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]
    return Image.open(io.BytesIO(answer.content))


KEPT_AS = [
    ("L", "PNG"),
    ("RGB", "JPEG"),
    ("RGBA", "PNG"),
    ("P", "PNG"),
    ("I;16", "PNG"),
    ("F", "TIFF"),
]


def coloured(mode, kind, scale=1):
    """An image file of 60 x 40 px, times `scale`, with every level and every opacity."""
    levels = Image.linear_gradient("L").resize((60 * scale, 40 * scale))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(levels).astype(np.uint16) * 257 + 100)
    elif mode == "F":
        image = Image.fromarray(np.asarray(levels).astype(np.float32) / 256)
    else:
        opacity = Image.radial_gradient("L").resize(levels.size)
        turned = levels.rotate(180)
        image = Image.merge("RGBA", [levels, turned, turned, opacity]).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def test_the_map_is_the_models_and_the_heat_lies_where_it_is(client):
    pixels = np.full((32, 48, 3), 10, np.uint8)
    pixels[4:20, 30:40] = 250
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    url = f"/api/inspections/{inspect(client, buffer.getvalue()).json()['id']}"
    drawn = np.load(io.BytesIO(client.get(f"{url}/map").content), allow_pickle=False)
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn, pixels[..., 0] / np.float32(255))
    heat = opened(client.get(f"{url}/heatmap"))
    assert (heat.mode, heat.size) == ("RGBA", (48, 32))
    opacity = np.asarray(heat)[..., 3]
    assert opacity[pixels[..., 0] == 250].min() > 150
    assert opacity[pixels[..., 0] == 10].max() == 0
    overlaid = np.asarray(opened(client.get(f"{url}/overlay")))
    np.testing.assert_array_equal(overlaid[0, 0], [10, 10, 10])
    assert not np.array_equal(overlaid[10, 35], [250, 250, 250])


def test_heat_keeps_the_threshold_that_decided(client):
    id_ = inspect(client, DEFECTIVE).json()["id"]
    before = client.get(f"/api/inspections/{id_}/heatmap").content
    client.put(
        "/api/models/grey/threshold", json={"threshold": 0.9, "author": "Ada", "reason": "glare"}
    )
    assert client.get(f"/api/inspections/{id_}/heatmap").content == before
    later = inspect(client, DEFECTIVE).json()["id"]
    assert client.get(f"/api/inspections/{later}/heatmap").content != before


def test_a_picture_for_people_is_upright_and_as_small_as_asked(client):
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (60, 40), 90).save(buffer, "JPEG", exif=exif)
    url = f"/api/inspections/{inspect(client, buffer.getvalue()).json()['id']}/picture"
    assert opened(client.get(url)).size == (40, 60)
    assert opened(client.get(url, params={"longest_px": 30})).size == (20, 30)
    assert opened(client.get(url, params={"longest_px": 4096})).size == (40, 60)
    assert client.get(url, params={"longest_px": 15}).status_code == 422


@pytest.mark.parametrize(("mode", "kind"), list(KEPT_AS))
def test_a_picture_shows_what_the_model_saw_of_every_kind_of_image(client, mode, kind):
    content = coloured(mode, kind)
    url = f"/api/inspections/{inspect(client, content).json()['id']}/picture"
    seen = np.rint(read_image(ImageContent("it", content)) * 255).astype(np.uint8)
    whole = opened(client.get(url))
    assert whole.mode == "RGB"
    assert np.abs(np.asarray(whole).astype(int) - seen).max() <= 1
    shrunk = Image.fromarray(seen)
    shrunk.thumbnail((30, 30), Image.Resampling.LANCZOS)
    small = opened(client.get(url, params={"longest_px": 30}))
    assert np.abs(np.asarray(small).astype(int) - np.asarray(shrunk)).max() <= 2


def test_a_small_picture_of_a_large_image_makes_no_floats_of_it(client):
    url = f"/api/inspections/{inspect(client, coloured('RGB', 'PNG', scale=10)).json()['id']}"
    tracemalloc.start()
    assert max(opened(client.get(f"{url}/picture", params={"longest_px": 30})).size) == 30
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most_bytes < 12 * 600 * 400


def test_only_so_many_pictures_are_made_at_once_and_nothing_else_waits_for_them(
    client, monkeypatch
):
    id_ = inspect(client, GOOD).json()["id"]
    started, may_go = threading.Semaphore(0), threading.Event()

    def make(*_, **__):
        started.release()
        assert may_go.wait(20)
        return b"", "image/png"

    monkeypatch.setattr("rcae.service.inspected_pictures.picture", make)
    url = f"/api/inspections/{id_}/picture"
    with ThreadPoolExecutor(50) as people:
        answers = [people.submit(client.get, url) for _ in range(50)]
        for _ in range(2):
            assert started.acquire(timeout=20)
        for _ in range(20):
            assert client.get("/health").status_code == 200
        assert not started.acquire(blocking=False)
        may_go.set()
        assert {answer.result().status_code for answer in answers} == {200}


def test_colours_of_a_model_that_is_not_served_are_not_guessed(client, record):
    from dataclasses import replace

    found = record.get(inspect(client, GOOD).json()["id"])
    other = replace(found, id="c" * 32, number=0, model_sha256="cd" * 32)
    record.add([other])
    assert client.get(f"/api/inspections/{other.id}/overlay").status_code == 410


def test_recent_scores_are_those_of_the_model_oldest_first(client, inspected):
    scores = client.get("/api/scores", params={"model": "grey", "limit": 3}).json()["scores"]
    assert scores == pytest.approx([200 / 255, 220 / 255, 240 / 255])
    assert client.get("/api/scores", params={"model": "other"}).json() == {"scores": []}


def test_another_process_on_the_record_is_seen(client, record, kept):
    from rcae.line.inspector import Arrival, Inspector
    from tests.line.grey_model import grey_detector

    other = Inspector("grey", grey_detector(), record, kept)
    found = other.inspect([Arrival("watched/7.png", DEFECTIVE)])[0]
    assert client.get("/api/inspections").json()["inspections"][0]["id"] == found.id
    assert client.get("/api/models/grey/drift").json()["images"] == 1
