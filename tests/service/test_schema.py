"""The API as generated clients and strict programs see it."""

import pytest

from tests.service.conftest import GOOD, inspect


@pytest.fixture
def operations(client):
    paths = client.get("/openapi.json").json()["paths"]
    return [one for operations in paths.values() for one in operations.values()]


def test_operations_are_named_by_what_they_do(operations):
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert {"inspect_image", "find_inspections", "inspection_overlay", "apply_threshold"} <= set(
        names
    )
    assert all(name.isidentifier() and name == name.lower() for name in names)


def test_every_error_is_a_problem_in_the_schema_and_in_the_answer(client, operations):
    for operation in operations:
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"]
    refused = {
        404: client.get("/api/models/other/drift"),
        405: client.delete("/api/models"),
        415: inspect(client, b"text"),
        421: client.get("/api/models", headers={"Host": "example.com"}),
        422: client.get("/api/inspections", params={"limit": 0}),
    }
    for status, answer in refused.items():
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.json()["title"]
        assert answer.json()["detail"]


def test_every_answer_has_a_type(operations):
    for operation in operations:
        for response in operation["responses"].values():
            assert all(content.get("schema") for content in response["content"].values())


def test_the_key_is_a_security_scheme(client):
    schema = client.get("/openapi.json").json()
    ((name, scheme),) = schema["components"]["securitySchemes"].items()
    assert scheme == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert {name: []} in schema["security"]


def test_head_is_answered_like_get_without_the_body(client):
    url = f"/api/inspections/{inspect(client, GOOD).json()['id']}"
    for path in ("/", "/ready", "/api/models", url, f"{url}/image"):
        head, get = client.head(path), client.get(path)
        assert (head.status_code, get.status_code) == (200, 200)
        assert head.headers["content-type"] == get.headers["content-type"]
    assert client.head("/api/models/other/drift").status_code == 404


def test_a_query_that_is_not_known_is_refused_with_what_is(client):
    answer = client.get("/api/scores", params={"modell": "grey"})
    assert answer.status_code == 422
    assert "'modell' is not known here; known are: limit, model." in answer.json()["detail"]
    assert client.get("/api/models?x=1").status_code == 422
    assert client.get("/?x=1").status_code == 200


def test_a_key_where_it_would_do_nothing_is_refused(client):
    headers, files = {"Idempotency-Key": "station-3/0001"}, [("images", ("a.png", GOOD))]
    answer = client.post("/api/models/grey/batches", files=files, headers=headers)
    assert (answer.status_code, "single image" in answer.json()["detail"]) == (422, True)
