"""Options of commands that send work to workers: the resources that each worker asks for."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

on_ray = click.option(
    "--ray",
    "address",
    metavar="ADDRESS",
    help="Send the work to this Ray cluster; 'local' starts one.",
)


def worker_needs(*, cpus: float, memory_gib: float = 0.0) -> Callable[[Any], Any]:
    """Add --cpus, --gpus and --memory to a command; its parameter `needs` gets them.

    Args:
        cpus: default number of CPU cores of a worker.
        memory_gib: default memory of a worker.
    """

    def decorate(command: Any) -> Any:
        @wraps(command)
        def gathered(*args: Any, cpus: float, gpus: float, memory_gib: float, **named: Any) -> Any:
            from rcae.many.cluster import Needs

            return command(*args, needs=Needs(cpus, gpus, memory_gib), **named)

        positive, any_number = click.FloatRange(0, min_open=True), click.FloatRange(0)
        for option in (
            click.option(
                "--memory",
                "memory_gib",
                type=any_number,
                default=memory_gib,
                show_default=True,
                help="GiB that each worker asks for.",
            ),
            click.option(
                "--gpus",
                type=any_number,
                default=0.0,
                show_default=True,
                help="GPUs, or a share of one, that each worker asks for.",
            ),
            click.option(
                "--cpus",
                type=positive,
                default=cpus,
                show_default=True,
                help="CPU cores that each worker asks for.",
            ),
        ):
            gathered = option(gathered)
        return gathered

    return decorate
