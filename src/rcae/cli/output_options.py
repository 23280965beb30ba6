"""Options for outputs, shared by the commands that inspect at a line."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rcae.base.errors import UsageError
from rcae.cli.options import PATH

if TYPE_CHECKING:
    from rcae.line.outputs.output import Output


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --mqtt, --webhook and --webhook-secret-file; the command gets checked `outputs`."""

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
    @functools.wraps(command)
    def with_outputs(
        *arguments: Any,
        mqtt: str | None,
        webhook: str | None,
        secret_file: Path | None,
        **options: Any,
    ) -> None:
        command(*arguments, outputs=_outputs(mqtt, webhook, secret_file), **options)

    return with_outputs


def _outputs(
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
