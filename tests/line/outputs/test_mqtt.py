"""MQTT against a real mosquitto on this machine."""

import json
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta

import pytest

from rcae.base.errors import DeliveryError, RefusedError, UsageError
from rcae.detector.detection import Region
from rcae.line.outputs.mqtt import Mqtt
from tests.conftest import until
from tests.line.outputs.conftest import free_port, inspection


@pytest.fixture
def make_mqtt():
    made = []

    def make(url, timeout_s=5.0):
        made.append(Mqtt(url, timeout_s))
        return made[-1]

    yield make
    for mqtt in made:
        mqtt.close()


def test_messages_arrive_in_order_at_the_topic_of_the_url(broker, subscriber, make_mqtt):
    mqtt = make_mqtt(f"mqtt://127.0.0.1:{broker.port}/line/3%20north/inspections")
    for number in range(1, 31):
        mqtt.send(inspection(number))
    until(lambda: len(subscriber.heard) == 30)
    topics, payloads = zip(*subscriber.heard, strict=True)
    assert set(topics) == {"line/3 north/inspections"}
    assert [json.loads(payload)["number"] for payload in payloads] == list(range(1, 31))


def test_a_broker_that_was_killed_is_found_again(broker, make_mqtt):
    mqtt = make_mqtt(f"mqtt://127.0.0.1:{broker.port}/line")
    mqtt.send(inspection(1))
    broker.kill()
    with pytest.raises(DeliveryError):
        mqtt.send(inspection(2))
    with pytest.raises(DeliveryError, match="cannot be reached"):
        mqtt.send(inspection(2))
    broker.start()
    mqtt.send(inspection(2))


def test_a_connection_that_broke_while_nothing_was_sent_is_no_failure(broker, make_mqtt):
    mqtt = make_mqtt(f"mqtt://127.0.0.1:{broker.port}/line")
    mqtt.send(inspection(1))
    broker.kill()
    until(lambda: not mqtt._client.is_connected())
    broker.start()
    mqtt.send(inspection(2))


def test_a_wrong_password_is_said_and_the_right_one_works(make_broker, make_mqtt, tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "line 3", "p@ss/w:rd"], check=True)
    broker = make_broker(settings=("allow_anonymous false", f"password_file {passwords}"))
    wrong = make_mqtt(f"mqtt://line%203:hunter2@127.0.0.1:{broker.port}/line")
    with pytest.raises(
        DeliveryError, match=r"refuses the connection .*user and password"
    ) as caught:
        wrong.send(inspection(1))
    assert "hunter2" not in str(caught.value) + wrong.title + wrong.reader
    right = make_mqtt(f"mqtt://line%203:p%40ss%2Fw%3Ard@127.0.0.1:{broker.port}/line")
    right.send(inspection(1))
    assert right.reader == wrong.reader


def test_a_message_that_the_broker_drops_for_want_of_a_permission_counts_as_not_sent(
    make_broker, make_mqtt, tmp_path
):
    (tmp_path / "acl").write_text("topic read #\ntopic write line/allowed\n")
    broker = make_broker(settings=("allow_anonymous true", f"acl_file {tmp_path / 'acl'}"))
    make_mqtt(f"mqtt://127.0.0.1:{broker.port}/line/allowed").send(inspection(1))
    with pytest.raises(DeliveryError, match="Not authorized"):
        make_mqtt(f"mqtt://127.0.0.1:{broker.port}/line/other").send(inspection(1))


def test_a_message_larger_than_the_broker_takes_is_refused_for_good(make_broker, make_mqtt):
    broker = make_broker(settings=("allow_anonymous true", "max_packet_size 2000"))
    mqtt = make_mqtt(f"mqtt://127.0.0.1:{broker.port}/line")
    many = tuple(Region(x, 0, 1, 1, 1, 0.5, x, 0) for x in range(100))
    with pytest.raises(RefusedError, match="2000 bytes"):
        mqtt.send(inspection(1, regions=many))
    mqtt.send(inspection(2))


def test_a_broker_that_accepts_and_says_nothing_is_given_up(make_mqtt):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mqtt = make_mqtt(f"mqtt://127.0.0.1:{mute.getsockname()[1]}/line", timeout_s=0.2)
        with pytest.raises(DeliveryError, match="did not answer within"):
            mqtt.send(inspection(1))


def test_what_speaks_no_mqtt_is_worth_another_try(make_mqtt):
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            client, _ = other.accept()
            with client:
                client.recv(1000)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        mqtt = make_mqtt(f"mqtt://127.0.0.1:{other.getsockname()[1]}/line", timeout_s=1.0)
        with pytest.raises(DeliveryError):
            mqtt.send(inspection(1))


@pytest.fixture
def certificate(tmp_path):
    """Of an authority of our own, for 127.0.0.1."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "line")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "crt.pem").write_bytes(made.public_bytes(pem))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return tmp_path / "crt.pem", tmp_path / "key.pem"


# paho-mqtt 2.x forgets the socket of a failed TLS handshake; it is closed when it is collected.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
def test_tls_is_checked(make_broker, make_mqtt, certificate, monkeypatch):
    crt, key = certificate
    broker = make_broker(settings=("allow_anonymous true", f"certfile {crt}", f"keyfile {key}"))
    mqtt = make_mqtt(f"mqtts://127.0.0.1:{broker.port}/line")
    with pytest.raises(DeliveryError, match="certificate"):
        mqtt.send(inspection(1))
    monkeypatch.setenv("SSL_CERT_FILE", str(crt))
    assert ssl.get_default_verify_paths().cafile == str(crt)
    mqtt.send(inspection(1))


@pytest.mark.parametrize(
    "url",
    [
        "http://h/t",
        "mqtt://h",
        "mqtt://h/",
        "mqtt:///t",
        "h/t",
        "",
        "mqtt://h/a/#",
        "mqtt://h/a/%23",
        "mqtt://h/a/+/b",
        "mqtt://h/t?x=1",
        "mqtt://h:port/t",
        "mqtt://h:99999/t",
        "mqtt://[::1/t",
        "mqtt://h/a%00b",
        "mqtt://u:hunter2@h/" + 65_536 * "t",
        "mqtt://u:hunter2#@h/t",
        "mqtt://u:hunter2/@h/t",
    ],
)
def test_what_is_not_a_broker_and_a_topic_is_refused(url):
    with pytest.raises(UsageError, match="--mqtt") as caught:
        Mqtt(url)
    assert "hunter2" not in str(caught.value)


def test_ports_have_their_usual_defaults_and_the_address_alone_makes_the_name():
    assert Mqtt("mqtt://h/t").title == "MQTT mqtt://h:1883/t"
    assert Mqtt("mqtts://h/t").title == "MQTT mqtts://h:8883/t"
    assert Mqtt("mqtt://h/t").reader == Mqtt("mqtt://u:p@h:1883/t").reader
    assert Mqtt("mqtt://h/t").reader != Mqtt("mqtt://h/other").reader


def test_a_host_name_that_cannot_be_one_is_worth_another_try(make_mqtt):
    for host in (300 * "a", "nowhere.invalid"):
        with pytest.raises(DeliveryError, match="cannot be reached"):
            make_mqtt(f"mqtt://{host}:{free_port()}/t").send(inspection(1))
