"""Connection to a Ray cluster, what its nodes offer, and what a worker needs of them."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rcae.base.errors import RcaeError, UsageError
from rcae.base.extras import require

LOCAL = "local"
"""Address of a cluster that is started on this machine for one command."""


@dataclass(frozen=True)
class Needs:
    """Resources that one worker asks for."""

    cpus: float = 1.0
    gpus: float = 0.0
    """GPUs, or a share of one."""
    memory_gib: float = 0.0
    """Memory that is reserved; 0 reserves none."""

    def __str__(self) -> str:
        memory = f", {self.memory_gib:g} GiB of memory" if self.memory_gib else ""
        return f"{self.cpus:g} CPUs, {self.gpus:g} GPUs{memory}"

    @property
    def options(self) -> dict[str, float]:
        """Options of a Ray task or actor."""
        return {
            "num_cpus": self.cpus,
            "num_gpus": self.gpus,
            "memory": int(self.memory_gib * 2**30),
        }

    def fit(self, cpus: float, gpus: float, memory_gib: float) -> int:
        """Return the number of workers that fit beside each other into these resources."""
        pairs = ((cpus, self.cpus), (gpus, self.gpus), (memory_gib, self.memory_gib))
        rounding = 1e-9  # ten tenths are a whole
        return int(min(has / needs + rounding for has, needs in pairs if needs))


def require_ray() -> None:
    """Refuse to go on without Ray.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    require("ray", purpose="--ray")


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Connect to a cluster and give the module `ray`; a local cluster ends with the block.

    Ray sends no statistics of usage, unless the environment asks for them.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: there is no cluster at `address`.
    """
    require_ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    try:
        ray.init(
            address,
            include_dashboard=False if address == LOCAL else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"there is no Ray cluster at {address} ({str(error).splitlines()[0]}); give the address of "
            f"'ray start --head', or '{LOCAL}'."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def room(ray: Any, needs: Needs) -> int:
    """Return the number of workers that fit on the nodes of the cluster now.

    Raises:
        UsageError: none fits.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    count = sum(
        needs.fit(node.get("CPU", 0.0), node.get("GPU", 0.0), node.get("memory", 0.0) / 2**30)
        for node in nodes
    )
    if not count:
        raise UsageError(
            f"no node of the cluster has {needs}, which a worker asks for; ask for less by --cpus, --gpus "
            "or --memory."
        )
    return count


def own_error(error: Exception) -> RcaeError | None:
    """Return the error that our own code raised on purpose on a node, if it is one."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, RcaeError) else None
