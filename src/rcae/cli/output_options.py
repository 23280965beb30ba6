"""Options for outputs, shared by the commands that inspect at a line."""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rcae.base.errors import UsageError
from rcae.cli.options import PATH, Duration

if TYPE_CHECKING:
    from rcae.line.outputs.delivery import Delivery
    from rcae.line.outputs.output import Output
    from rcae.line.record.record import Record


@dataclass(frozen=True)
class Outputs:
    """Receivers of inspections, as the command line names them."""

    receivers: "tuple[Output, ...]"
    dead_letter_after_s: float

    def delivering(self, record: "Record") -> "AbstractContextManager[list[Delivery]]":
        """Send to them inside the block; see `rcae.line.outputs.delivery.delivering`."""
        from rcae.line.outputs.delivery import delivering

        return delivering(self.receivers, record, self.dead_letter_after_s)


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of outputs; the command gets `outputs`, checked."""

    @click.option(
        "--mqtt",
        metavar="URL",
        envvar="RCAE_MQTT",
        show_envvar=True,
        help="Send every inspection: mqtt://[user:password@]host[:port]/topic, mqtts:// for TLS.",
    )
    @click.option(
        "--webhook",
        metavar="URL",
        envvar="RCAE_WEBHOOK",
        show_envvar=True,
        help="Post every inspection to this address, signed.",
    )
    @click.option(
        "--webhook-secret-file",
        "secret_file",
        type=PATH,
        help="File with the secret that signs the posts.",
    )
    @click.option(
        "--dead-letter-after",
        "dead_letter_after_s",
        type=Duration(),
        default="1h",
        show_default=True,
        help="Time that a refused inspection is retried before the next is sent; see 'rcae resend'.",
    )
    @functools.wraps(command)
    def with_outputs(
        *arguments: Any,
        mqtt: str | None,
        webhook: str | None,
        secret_file: Path | None,
        dead_letter_after_s: float,
        **options: Any,
    ) -> None:
        outputs = Outputs(_receivers(mqtt, webhook, secret_file), dead_letter_after_s)
        command(*arguments, outputs=outputs, **options)

    return with_outputs


def _receivers(
    mqtt: str | None, webhook: str | None, secret_file: Path | None
) -> "tuple[Output, ...]":
    if (webhook is None) != (secret_file is None):
        raise UsageError(
            "--webhook and --webhook-secret-file need each other: what is posted is signed, so that "
            "its receiver can tell it from a forgery."
        )
    outputs: list[Output] = []
    if mqtt is not None:
        from rcae.line.outputs.mqtt import Mqtt

        outputs.append(Mqtt(mqtt))
    if webhook is not None and secret_file is not None:
        from rcae.line.outputs.webhook import Webhook, read_secret

        outputs.append(Webhook(webhook, read_secret(secret_file)))
    return tuple(outputs)
