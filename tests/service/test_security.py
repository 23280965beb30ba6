"""Who may ask: keys, foreign names, foreign pages, and what every answer tells a browser."""

import pytest

from rcae.base.errors import UsageError
from rcae.line.record.inspection import Query
from rcae.service.security import read_api_key, require_key_beyond_loopback
from tests.service.conftest import GOOD, inspect

KEY = "0123456789abcdef"
PATHS = [
    ("GET", "/api/models"),
    ("GET", "/api/inspections"),
    ("GET", "/api/scores"),
    ("GET", f"/api/inspections/{'0' * 32}"),
    ("GET", f"/api/inspections/{'0' * 32}/image"),
    ("GET", "/api/models/grey/drift"),
    ("GET", "/api/models/grey/card"),
    ("PUT", "/api/models/grey/threshold"),
    ("POST", "/api/models/grey/inspections"),
    ("POST", "/api/models/grey/batches"),
    ("POST", "/api/models/grey/inspections-of-paths"),
    ("POST", f"/api/inspections/{'0' * 32}/reviews"),
    ("GET", "/api/nothing"),
]


def test_everything_of_the_api_needs_the_key(serving):
    client = serving(api_key=KEY)
    wrong_keys = ({}, {"x-api-key": KEY[:-1]}, {"x-api-key": KEY + "0"}, {"x-api-key": b"\xe9"})
    for method, path in PATHS:
        for wrong in wrong_keys:
            answer = client.request(method, path, headers=wrong)
            assert answer.status_code == 401
            assert "X-API-Key" in answer.json()["detail"]
        assert client.request(method, path, headers={"x-api-key": KEY}).status_code != 401


def test_whether_the_service_is_well_needs_no_key(serving):
    client = serving(api_key=KEY, base_url="http://line-3.example")
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").status_code == 200
    assert client.get("/metrics").status_code == 200
    assert client.get("/api/models", headers={"x-api-key": KEY}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/health", "/api/models", "/metrics"])
def test_without_a_key_only_requests_to_this_machine_are_answered(client, path):
    own = ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "127.8.9.1", "[::1]:8000"]
    foreign = [
        "evil.example",
        "localhost.evil.example:8000",
        "127.0.0.1.evil.example",
        "evil.example@localhost.evil.example",
        "0.0.0.0",
        "192.168.1.5",
        "[::1",
        "",
    ]
    for host in own:
        assert client.get(path, headers={"host": host}).status_code in (200, 404)
    for host in foreign:
        assert client.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("key", [None, KEY])
def test_pages_of_other_sites_cannot_write(serving, record, key):
    client = serving(api_key=key)
    headers = {} if key is None else {"x-api-key": key}
    foreign = [
        "http://evil.example",
        "http://localhost:9000",
        "http://localhost.evil.example",
        "null",
        "",
        "http://[",
    ]
    files = {"image": ("a.png", GOOD)}
    url = "/api/models/grey/inspections"
    for origin in foreign:
        answer = client.post(url, files=files, headers=headers | {"origin": origin})
        assert answer.status_code == 403
    assert record.count(Query()) == 0
    for own in ({}, {"origin": "http://localhost"}):
        assert client.post(url, files=files, headers=headers | own).status_code == 201


def test_every_answer_tells_the_browser_to_trust_nothing(client):
    for path in ("/health", "/api/models", "/api/nothing", "/", "/openapi.json"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_refusals_carry_the_headers_too(client):
    for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
        answer = client.post("/api/models", headers=headers)
        assert answer.status_code in (421, 403)
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_nothing_names_another_site_to_fetch_from(client):
    for path in ("/docs", "/redoc"):
        assert client.get(path).status_code == 404


def test_the_page_gives_its_own_files_and_no_others(client, monkeypatch, tmp_path):
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_text("<p>page")
    (folder / "main.js").write_text("1")
    (folder / "notes.txt").write_text("private")
    (tmp_path / "secret.js").write_text("secret")
    monkeypatch.setattr("rcae.service.page_routes.PAGE", folder)
    assert client.get("/").text == "<p>page"
    script = client.get("/page/main.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert client.get("/page/notes.txt").status_code == 404
    for path in ("../secret.js", "..%2Fsecret.js", "%2e%2e/secret.js", "main.js%00", "", "."):
        assert client.get(f"/page/{path}").status_code == 404


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_needs_no_key(host):
    require_key_beyond_loopback(host, has_key=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.7"])
def test_other_addresses_need_one(host):
    with pytest.raises(UsageError, match="--api-key-file"):
        require_key_beyond_loopback(host, has_key=False)
    require_key_beyond_loopback(host, has_key=True)


@pytest.mark.parametrize("content", [b"", b"short\n", b"with space 0123456789", b"\xff" * 40])
def test_a_file_without_a_proper_key_is_refused(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(UsageError, match="key"):
        read_api_key(tmp_path / "key")
    with pytest.raises(UsageError, match="missing"):
        read_api_key(tmp_path / "missing")


def test_a_key_is_its_line(tmp_path):
    (tmp_path / "key").write_text(KEY + "\n")
    (tmp_path / "key").chmod(0o640)
    assert read_api_key(tmp_path / "key") == KEY


def test_a_key_that_every_user_may_read_is_refused(tmp_path):
    (tmp_path / "key").write_text(KEY + "\n")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(UsageError, match=r"every user of this machine may read; run: chmod o-rwx"):
        read_api_key(tmp_path / "key")


def test_an_upload_is_not_read_before_the_key_is_checked(serving):
    client = serving(api_key=KEY)
    assert inspect(client, GOOD).status_code == 401
