"""Thousands of requests that nobody would send: never a fault, nothing written elsewhere."""

import io
import random

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rcae.line.record.inspection import Query
from rcae.service.paths import allowed_folders
from tests.line.grey_model import png
from tests.service.conftest import inspect

QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]
JSON = {"content-type": "application/json"}


@pytest.fixture
def api(client):
    found = inspect(client, png(200)).json()
    app = client.app
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Host": "localhost"})
    return schema, found["id"]


def test_every_answer_to_what_the_schema_allows_or_forbids_is_as_the_schema_says(api):
    schema, known_id = api
    counted = [0]
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    for operation in schema.get_all_operations():
        case_strategy = operation.ok().as_strategy()

        @given(case=case_strategy, is_known=st.booleans())
        @settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=QUIET)
        def ask(case, is_known):
            counted[0] += 1
            if is_known:
                case.path_parameters |= {
                    key: {"id": known_id, "name": "grey"}[key] for key in case.path_parameters
                }
            case.call_and_validate(checks=checks, headers={"Host": "localhost"})

        ask()
    assert counted[0] > 200


def real_images():
    grey = Image.radial_gradient("L").resize((40, 30))
    exif = Image.Exif()
    exif[0x0112] = 8
    for kind, options in (
        ("PNG", {}),
        ("JPEG", {"exif": exif}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ):
        buffer = io.BytesIO()
        grey.save(buffer, kind, **options)
        yield buffer.getvalue()


def mutated(content, chance):
    """The same with some bytes changed, and perhaps some cut out or put in."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(len(changed))
        kind = chance.random()
        if kind < 0.6:
            changed[place] = chance.choice((0, 0xFF, 0x7F, chance.randrange(256)))
        elif kind < 0.8:
            del changed[place : place + chance.randrange(1, 30)]
        else:
            changed[place:place] = chance.randbytes(chance.randrange(1, 30))
    return bytes(changed) or b"\0"


def test_damaged_images_of_every_format_are_answered_and_written_nowhere_else(
    client, record, tmp_path, caplog
):
    before = files_beside(tmp_path)
    chance, statuses = random.Random(0), []
    originals = list(real_images())
    for number in range(1000):
        content = mutated(originals[number % len(originals)], chance)
        answer = inspect(client, content, name=chance.choice(("a.png", "../../x", "/etc/x", "%00")))
        statuses.append(answer.status_code)
        assert answer.status_code in (201, 415, 422), (number, answer.text)
    assert len(set(statuses)) == 3
    assert record.count(Query()) == statuses.count(201)
    assert files_beside(tmp_path) == before


@settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=QUIET)
@given(body=st.binary(max_size=400), boundary=st.sampled_from(["b", "", "ä", "b; x=\x01", '"']))
def test_forms_that_are_none_are_refused(client, body, boundary):
    header = f"multipart/form-data; boundary={boundary}".encode()
    for content in (
        body,
        b"--b\r\n" + body,
        b'--b\r\nContent-Disposition: form-data; name="' + body,
    ):
        answer = client.post(
            "/api/models/grey/inspections", content=content, headers={"content-type": header}
        )
        assert answer.status_code in (400, 413, 415, 422)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=QUIET)
@given(given_paths=st.lists(st.text(max_size=30), min_size=1, max_size=4), value=anything)
def test_no_path_leads_outside_and_no_value_is_a_fault(serving, tmp_path, given_paths, value):
    import json

    if not hasattr(serving, "asked"):
        (tmp_path / "line").mkdir()
        serving.asked = serving(allowed=allowed_folders([tmp_path / "line"]))
    client = serving.asked
    for prefix in ("", f"{tmp_path}/line/", f"{tmp_path}/line/../", "/proc/self/"):
        body = json.dumps({"paths": [prefix + path for path in given_paths]})
        url = "/api/models/grey/inspections-of-paths"
        answer = client.post(url, content=body, headers=JSON)
        assert answer.status_code in (200, 403, 413, 422)
        assert answer.status_code != 200 or "inspections.sqlite" not in answer.text
    for method, url in (
        ("PUT", "/api/models/grey/threshold"),
        ("POST", f"/api/inspections/{'0' * 32}/reviews"),
        ("POST", "/api/models/grey/inspections-of-paths"),
    ):
        answer = client.request(method, url, content=json.dumps(value), headers=JSON)
        assert answer.status_code in (400, 403, 404, 422)


def files_beside(folder):
    """All files but the record's and the kept pictures."""
    return {
        path
        for path in folder.rglob("*")
        if "images" not in path.parts and "inspections.sqlite" not in path.name
    }
