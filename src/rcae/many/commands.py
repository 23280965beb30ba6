"""Commands of rcae as processes: side by side on this machine, or on the nodes of a Ray cluster."""

import os
import queue
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcae.base.errors import UsageError
from rcae.base.machine import core_count, memory_gib
from rcae.many import cluster
from rcae.many.cluster import Needs

LOST_NODES = 10
"""Number of times that a command is started again because its node was lost."""


@dataclass(frozen=True)
class Command:
    """A command, and the file that gets what it prints."""

    words: tuple[str, ...]
    """Words after `rcae`."""
    log: Path


@dataclass(frozen=True)
class Ended:
    """End of a command."""

    exit_code: int
    last_line: str
    """Last line that it printed, which is its error if it failed."""


def run_commands(
    commands: Sequence[Command], needs: Needs, address: str | None = None
) -> Iterator[tuple[Command, Ended]]:
    """Run every command and yield it once it has ended; a failed one stops no other.

    Args:
        commands: commands, each of which continues where an earlier process of it was killed.
        needs: resources of one command.
        address: address of a cluster, or None to run as many processes as fit on this machine.

    Raises:
        UsageError: not even one fits; there is no cluster at `address`.
        MissingExtraError: Ray is not installed.
    """
    if not commands:
        return
    if address is None:
        yield from _run_here(commands, needs)
        return
    with cluster.connected(address) as ray:
        cluster.room(ray, needs)
        yield from _run_on(ray, commands, needs)


def run(command: Command, needs: Needs, gpus: str | None = None) -> Ended:
    """Run a command to its end.

    Args:
        command: the command.
        needs: its CPUs are its number of threads.
        gpus: GPUs that it sees, as CUDA numbers them; None leaves that as it is.
    """
    process = _start(command, needs, gpus)
    return _end(command, process.wait())


def _run_here(commands: Sequence[Command], needs: Needs) -> Iterator[tuple[Command, Ended]]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = _gpus() if needs.gpus else []
    room = needs.fit(core_count(), len(gpus), memory_gib())
    if not room:
        raise UsageError(
            f"this machine has {core_count()} CPUs, {len(gpus)} GPUs and {memory_gib():.1f} GiB of memory; a "
            f"process asks for {needs}; ask for less by --cpus, --gpus or --memory."
        )
    places: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    for place in range(room):
        places.put(_share(gpus, place, needs.gpus) if needs.gpus else visible)
    running: set[subprocess.Popen[bytes]] = set()

    def run_at_place(command: Command) -> Ended:
        place = places.get()
        process = _start(command, needs, place)
        running.add(process)
        try:
            return _end(command, process.wait())
        finally:
            running.discard(process)
            places.put(place)

    with ThreadPoolExecutor(room) as threads:
        waiting = {threads.submit(run_at_place, command): command for command in commands}
        try:
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        finally:
            for future in waiting:
                future.cancel()
            for process in tuple(running):
                process.terminate()  # a training saves its state and ends


def _run_on(ray: Any, commands: Sequence[Command], needs: Needs) -> Iterator[tuple[Command, Ended]]:
    task = ray.remote(max_retries=LOST_NODES, max_calls=1, **needs.options)(run)
    waiting = {task.remote(command, needs): command for command in commands}
    try:
        while waiting:
            (done,), _ = ray.wait([*waiting], num_returns=1)
            command = waiting.pop(done)
            try:
                ended = ray.get(done)
            except ray.exceptions.RayError as error:
                ended = Ended(1, f"the node was lost again and again ({type(error).__name__}).")
            yield command, ended
    finally:
        for left in waiting:
            ray.cancel(left, force=True)


def _start(command: Command, needs: Needs, gpus: str | None) -> subprocess.Popen[bytes]:
    """Start the process, outside the reach of a terminal's Ctrl-C: it is stopped once, by us.

    The option -P keeps Python from importing modules of the user's current folder.
    """
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(max(1, int(needs.cpus))),
        **({} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus}),
    }
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "rcae", *command.words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _end(command: Command, exit_code: int) -> Ended:
    text = command.log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n")
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "")
    if exit_code < 0:
        return Ended(1, f"signal {-exit_code} ended it, as the system does when memory is short.")
    return Ended(exit_code, last.strip().removeprefix("rcae: error: "))


def _gpus() -> list[str]:
    """Return the GPUs that this process sees, as CUDA numbers them."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(n) for n in range(torch.cuda.device_count())]


def _share(gpus: Sequence[str], place: int, needed: float) -> str:
    """Return the GPUs of a place: several of its own, or one that it shares."""
    if needed >= 1:
        first = place * int(needed)
        return ",".join(gpus[first : first + int(needed)])
    return gpus[place % len(gpus)]
