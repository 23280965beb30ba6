"""Inspections as messages to an MQTT 5 broker, each confirmed (QoS 1) before the next is sent."""

import ssl
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from rcae.base.errors import DeliveryError, RefusedError, UsageError
from rcae.base.extras import require
from rcae.line.outputs.output import message, reader_of
from rcae.line.record.inspection import Inspection

PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEPALIVE_S = 30
TIMEOUT_S = 10.0
"""Timeout of a connection and of a confirmation (our choice)."""
LONGEST_TOPIC = 65_535
PUBLISH_OVERHEAD = 32
"""Upper bound on the bytes of a PUBLISH packet besides topic and payload."""
PAYLOAD_FORMAT_INVALID = 0x99

_ENCODED = "In user, password and topic, write @ : / ? # % as %40 %3A %2F %3F %23 %25."
_RULE = "write mqtt://[user:password@]host[:port]/topic, or mqtts:// for TLS"


class Mqtt:
    """A topic of an MQTT 5 broker.

    An MQTT 5 broker reports a message that it rejects, for example for want of a permission.
    MQTT 3.1.1 would lose it unnoticed, so it is not supported (our choice).
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        """Parse the URL without connecting.

        Raises:
            UsageError: the URL is invalid; the message hides its password.
            MissingExtraError: paho-mqtt is not installed.
        """
        require("paho", purpose="--mqtt")
        try:
            parts = urlsplit(url)
            self._host, self._port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
        except ValueError:  # its text may contain a part of the password
            raise UsageError(f"--mqtt: the URL cannot be read; {_RULE}. {_ENCODED}") from None
        self._is_tls = parts.scheme == "mqtts"
        self._topic = unquote(parts.path[1:])
        self._user = None if parts.username is None else unquote(parts.username)
        self._password = None if parts.password is None else unquote(parts.password)
        if parts.scheme not in PORTS or not self._host:
            raise UsageError(f"--mqtt: this is not the URL of a broker; {_RULE}. {_ENCODED}")
        if set("?#") & set(url) or not _is_topic(self._topic):
            raise UsageError(
                f"--mqtt: the URL names no topic to send to; {_RULE}, the topic without # and +. "
                f"{_ENCODED}"
            )
        address = f"{parts.scheme}://{self._host}:{self._port}/{self._topic}"
        self.title = f"MQTT {address}"
        self.reader = reader_of("mqtt", address)
        self._timeout_s = timeout_s
        self._client_id = f"rcae-{uuid4().hex[:16]}"
        """Client id for all connections of this process.

        Two clients with one id would end each other's connection.
        """
        self._client: Any = None
        self._events: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._largest: int | None = None
        """Largest packet that the broker accepts, in bytes."""

    def send(self, inspection: Inspection) -> None:
        """Publish an inspection and wait for the broker's confirmation; see `Output.send`."""
        try:
            if self._client is not None and not self._client.is_connected():
                self.close()  # the connection broke while idle
            if self._client is None:
                self._connect()
            self._publish(message(inspection))
        except RefusedError:
            raise
        except DeliveryError:
            self.close()
            raise

    def close(self) -> None:
        """Disconnect; see `Output.close`."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _connect(self) -> None:
        from paho.mqtt.client import Client, MQTTv5
        from paho.mqtt.enums import CallbackAPIVersion

        events: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            protocol=MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._timeout_s
        client.username_pw_set(self._user, self._password)
        if self._is_tls:
            client.tls_set_context(ssl.create_default_context())
        client.on_connect = lambda _c, _u, _f, reason, limits: events.put(
            ("connected", (reason, limits))
        )
        client.on_publish = lambda _c, _u, _m, reason, _p: events.put(("published", reason))
        client.on_disconnect = lambda _c, _u, _f, reason, _p: events.put(("disconnected", reason))
        self._events = events
        try:
            client.connect(self._host, self._port, KEEPALIVE_S)
        except (OSError, ValueError) as error:  # a host name can cause UnicodeError
            raise DeliveryError(f"{self.title} cannot be reached ({error}).") from error
        self._client = client
        client.loop_start()
        reason, limits = self._awaited("connected")
        if reason.is_failure:
            raise DeliveryError(
                f"{self.title} refuses the connection ({reason}); check user and password, and that "
                "the broker speaks MQTT 5."
            )
        self._largest = getattr(limits, "MaximumPacketSize", None)

    def _publish(self, payload: bytes) -> None:
        size = len(payload) + len(self._topic.encode()) + PUBLISH_OVERHEAD
        if self._largest is not None and size > self._largest:
            raise RefusedError(
                f"{self.title} takes no more than {self._largest} bytes, and it has {size}."
            )
        self._client.publish(self._topic, payload, qos=1)
        reason = self._awaited("published")
        if reason.value == PAYLOAD_FORMAT_INVALID:
            raise RefusedError(f"{self.title} refuses its content ({reason}).")
        if reason.is_failure:
            raise DeliveryError(f"{self.title} did not take a message ({reason}).", is_answer=True)

    def _awaited(self, expected: str) -> Any:
        """Wait for the broker's next event, which must be the expected one."""
        try:
            event, said = self._events.get(timeout=self._timeout_s)
        except Empty:
            raise DeliveryError(
                f"{self.title} did not answer within {self._timeout_s:g} s."
            ) from None
        if event != expected:
            raise DeliveryError(f"{self.title} ended the connection ({said}).")
        return said


def _is_topic(topic: str) -> bool:
    return bool(topic) and not set("#+\0") & set(topic) and len(topic.encode()) <= LONGEST_TOPIC
