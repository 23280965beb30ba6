"""A webhook against a real server on this machine."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from rcae.base.errors import DeliveryError, RefusedError, UsageError
from rcae.line.outputs.webhook import Webhook, read_secret, signature
from tests.line.outputs.conftest import inspection

SECRET = b"0123456789abcdef"
NOW = 1_800_000_000


@pytest.fixture
def webhook(receiver):
    webhook = Webhook(receiver.url, SECRET, timeout_s=0.2, now=lambda: NOW + 0.9)
    yield webhook
    webhook.close()


def test_what_is_posted_is_the_inspection_and_names_it_for_whoever_gets_it_twice(receiver, webhook):
    webhook.send(inspection(7))
    ((path, headers, body),) = receiver.requests
    assert path == "/inspections"
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == inspection(7).id
    assert json.loads(body) == {
        "source": "part-7.png",
        "image_sha256": f"{7:064x}",
        "width_px": 40,
        "height_px": 30,
        "model": "parts",
        "model_sha256": "ab" * 32,
        "anomaly_score": 0.25,
        "p_value": 0.5,
        "threshold": 0.125,
        "is_defective": True,
        "regions": [
            {
                "left_px": 1,
                "top_px": 2,
                "width_px": 3,
                "height_px": 4,
                "area_px": 12,
                "peak": 0.25,
                "peak_x_px": 2,
                "peak_y_px": 3,
            }
        ],
        "duration_s": 0.5,
        "executed_sha256": None,
        "remark": None,
        "time": "2026-11-25T08:00:00.500000Z",
        "id": f"{7:032x}",
        "number": 7,
        "reviews": [],
    }


def test_the_signature_is_what_another_computes_from_time_and_body(receiver, webhook):
    webhook.send(inspection(1))
    ((_, headers, body),) = receiver.requests
    fields = dict(field.split("=") for field in headers["X-RcAE-Signature"].split(","))
    assert fields["t"] == str(NOW)
    expected = hmac.digest(SECRET, fields["t"].encode() + b"." + body, "sha256")
    assert bytes.fromhex(fields["v1"]) == expected


def test_the_snippet_of_the_documentation_tells_genuine_from_forged(receiver):
    text = (Path(__file__).parents[3] / "docs" / "outputs.md").read_text()
    snippet = {}
    exec(text.split("```python\n")[1].split("```")[0], snippet)
    webhook = Webhook(receiver.url, SECRET)
    webhook.send(inspection(1))
    webhook.close()
    ((_, headers, body),) = receiver.requests
    header = headers["X-RcAE-Signature"]
    assert snippet["is_genuine"](SECRET, header, body)
    assert not snippet["is_genuine"](SECRET, header, body + b" ")
    assert not snippet["is_genuine"](b"another secret!!", header, body)
    old = signature(SECRET, NOW - 10**9, body)
    assert not snippet["is_genuine"](SECRET, old, body)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(receiver, webhook, status):
    receiver.script = [status]
    webhook.send(inspection(1))


@pytest.mark.parametrize("answer", [500, 503, 301, 307, 401, 403, 404, 408, 425, 429])
def test_what_tells_of_the_moment_or_the_address_is_worth_another_try(receiver, webhook, answer):
    receiver.script = [answer]
    with pytest.raises(DeliveryError, match=str(answer)) as caught:
        webhook.send(inspection(1))
    assert not isinstance(caught.value, RefusedError)
    assert len(receiver.requests) == 1
    webhook.send(inspection(1))


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_any_other_4xx_refuses_the_inspection_for_good(receiver, webhook, status):
    receiver.script = [status]
    with pytest.raises(RefusedError, match=str(status)):
        webhook.send(inspection(1))


def test_a_redirect_is_not_followed(receiver, webhook):
    receiver.script = [(307, {"Location": f"{receiver.url}/elsewhere"})]
    with pytest.raises(DeliveryError, match="307"):
        webhook.send(inspection(1))
    assert [path for path, _, _ in receiver.requests] == ["/inspections"]


@pytest.mark.parametrize("failure", ["close", "hang"])
def test_a_connection_that_breaks_or_hangs_is_worth_another_try(receiver, webhook, failure):
    receiver.script = [failure]
    with pytest.raises(DeliveryError, match="cannot be reached"):
        webhook.send(inspection(1))
    webhook.send(inspection(1))
    assert len(receiver.requests) == 2


def test_an_answer_of_2xx_counts_even_if_its_body_breaks_off(receiver, webhook):
    receiver.script = [(200, {"Content-Length": "100"})]
    webhook.send(inspection(1))


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        ("7", 7),
        ("0", 0),
        ("99999999999", 3600),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=90)), 89.1),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=90)), 0),
        ("soon", 0),
        ("-5", 0),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", 0),
        ("\u00b2".encode().decode("latin-1"), 0),
    ],
)
def test_retry_after_is_honoured_in_seconds_and_as_a_date_up_to_an_hour(
    receiver, webhook, value, expected_s
):
    receiver.script = [(429, {"Retry-After": value})]
    with pytest.raises(DeliveryError) as caught:
        webhook.send(inspection(1))
    assert caught.value.retry_after_s == pytest.approx(expected_s)


def test_no_server_at_all_is_worth_another_try(receiver):
    receiver.close()
    receiver.close = lambda: None
    with pytest.raises(DeliveryError, match="cannot be reached"):
        Webhook(receiver.url, SECRET).send(inspection(1))


def test_a_host_name_that_cannot_be_looked_up_is_worth_another_try():
    with pytest.raises(DeliveryError, match="cannot be reached"):
        Webhook("http://mes..factory/x", SECRET).send(inspection(1))


def test_password_and_query_are_shown_nowhere_and_the_password_is_no_part_of_the_name(receiver):
    public = receiver.url.removeprefix("http://")
    webhook = Webhook(f"http://line:hunter2@{public}?token=t0ps3cret", SECRET)
    other = Webhook(f"http://line:changed@{public}?token=t0ps3cret", SECRET)
    assert webhook.reader == other.reader != Webhook(receiver.url, SECRET).reader
    receiver.script = [500]
    with pytest.raises(DeliveryError) as caught:
        webhook.send(inspection(1))
    webhook.close()
    shown = str(caught.value) + webhook.title + webhook.reader
    assert "hunter2" not in shown
    assert "t0ps3cret" not in shown
    assert receiver.requests[0][0] == "/inspections?token=t0ps3cret"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/p",
        "h/p",
        "",
        "http://",
        "file:///etc/passwd",
        "http://h:port/",
        "https:///p",
        "http://u:hunter2#@h/p",
        "http://u:hunter2/@h/p",
    ],
)
def test_what_is_not_an_http_address_is_refused(url):
    with pytest.raises(UsageError, match="--webhook") as caught:
        Webhook(url, SECRET)
    assert "hunter2" not in str(caught.value)


def test_a_secret_is_read_without_the_line_end_and_refused_where_it_is_short(tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\r\n")
    file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod o-rwx"):
        read_secret(file)
    file.chmod(0o600)
    assert read_secret(file) == SECRET
    file.write_bytes(b"short\n")
    with pytest.raises(UsageError, match="openssl rand"):
        read_secret(file)
    with pytest.raises(UsageError, match="cannot be read"):
        read_secret(tmp_path / "none")
