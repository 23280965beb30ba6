"""Options for the record and its pictures, shared by the commands at the line."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from rcae.line.record.opening import STORE

Command = TypeVar("Command", bound=Callable[..., Any])


def store_option(command: Command) -> Command:
    """Add `--store`; the command gets `store`."""
    option = click.option(
        "--store",
        default=STORE,
        show_default=True,
        envvar="RCAE_STORE",
        show_envvar=True,
        metavar="FILE_OR_URL",
        help="Record: a file (SQLite), or postgresql://user:password@host/database.",
    )
    return option(command)


def store_options(command: Command) -> Command:
    """Add `--store` and `--keep-images-mib`; the command gets `store` and `keep_images_mib`."""
    option = click.option(
        "--keep-images-mib",
        type=click.FloatRange(min=0),
        default=10_000,
        show_default=True,
        help="Size limit of the pictures beside the record; 0 keeps none.",
    )
    return store_option(option(command))
