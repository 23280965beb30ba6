"""No request may send more than its limit, or take long over it, whoever reads its body."""

import asyncio
import json

import httpx
import pytest

from rcae.service.limits import MIB, Limits

ID = "0" * 32
WRITING = [
    ("POST", "/api/models/grey/inspections-of-paths"),
    ("PUT", "/api/models/grey/threshold"),
    ("POST", f"/api/inspections/{ID}/reviews"),
]
JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=b"}


def ask(client, method, path, headers, pieces):
    """As a client does that sends pieces, each once the one before was taken."""

    async def answered():
        transport = httpx.ASGITransport(client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as sender:
            return await sender.request(method, path, content=pieces, headers=headers)

    return asyncio.run(answered())


@pytest.mark.parametrize("headers", [JSON, FORM])
@pytest.mark.parametrize(("method", "path"), WRITING)
def test_a_body_above_the_limit_is_cut_off_and_not_read_to_its_end(client, method, path, headers):
    sent = []

    async def pieces():
        for _ in range(100):
            sent.append(1)
            yield b" " * (MIB // 10)

    answer = ask(client, method, path, headers, pieces())
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert answer.json()["detail"].startswith("More than 1 MiB")
    assert len(sent) == 11
    announced = client.request(method, path, content=bytes(MIB + 1), headers=headers)
    assert announced.status_code == 413


def test_a_body_up_to_the_limit_is_read(serving):
    body = json.dumps({"threshold": 0.3, "author": "Ada", "reason": "glare"}).encode()
    for most_bytes, status in ((len(body), 200), (len(body) - 1, 413)):
        client = serving(Limits(body_bytes=most_bytes))
        answer = client.put("/api/models/grey/threshold", content=body, headers=JSON)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        *((*route, JSON) for route in WRITING),
        ("POST", "/api/models/grey/inspections", FORM),
        ("POST", "/api/models/grey/batches", FORM),
    ],
)
def test_a_body_that_comes_too_slowly_is_waited_for_no_longer(serving, method, path, headers):
    async def pieces():
        yield b"-"
        await asyncio.sleep(20)

    answer = ask(serving(Limits(upload_s=0)), method, path, headers, pieces())
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")
    assert "did not arrive within 0 s" in answer.json()["detail"]
