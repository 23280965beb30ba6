"""Inspection of a planned list: one shard in this process, or all parts by workers on a Ray cluster."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rcae.base.errors import ImageError, RcaeError
from rcae.base.progress import say, shown
from rcae.data.usual_image import SIZE_LIMIT
from rcae.detector.detector import Detector
from rcae.detector.predictions import Pictures, Prediction, PredictionCounts, predicted
from rcae.many import cluster
from rcae.many.cluster import Needs
from rcae.many.parts import counted, inspect_part, missing_parts, require_parquet, write_part
from rcae.many.plan import Model, Plan, open_plan, read_plan
from rcae.many.workers import MOST_TRIES, Failure, Pool

Piece = tuple[int, int]
"""A part and the place of one image in it, or `WHOLE`."""
WHOLE = -1


@dataclass(frozen=True)
class Request:
    """Images, model and results of a large inspection."""

    run: Path
    inputs: tuple[str, ...]
    output: Path
    overlays: bool = False
    maps: bool = False
    public_key: Path | None = None
    """Public key that must have signed the model."""
    threads: int | None = None
    """CPU threads of the model; see `Detector.load`."""
    size_limit: float = SIZE_LIMIT

    def load(self) -> Detector:
        """Load the model; the errors are those of `Detector.load`."""
        return Detector.load(
            self.run,
            threads=self.threads,
            size_limit=self.size_limit,
            require_signature=self.public_key,
        )


def inspect_shard(request: Request, number: int, count: int) -> PredictionCounts:
    """Inspect one of `count` shards, counted from 1; finished parts are kept.

    A shard is every `count`-th part, so that shards are equally long and need not know of each other.

    Raises:
        RcaeError: the errors of `Detector.load`, `open_plan` and `inspect_part`.
    """
    require_parquet()
    detector = request.load()
    plan = open_plan(request.output, request.inputs, Model.of(detector))
    own = range(number - 1, plan.part_count, count)
    missing = sorted(set(missing_parts(plan)).intersection(own))
    say(f"shard {number} of {count}: {len(missing)} of {len(own)} parts to inspect")
    for part in shown(missing, "inspecting parts", total=len(missing)):
        inspect_part(detector, plan, part, overlays=request.overlays, maps=request.maps)
    return counted(plan, own)


def inspect_on_ray(
    request: Request, address: str, needs: Needs, most_workers: int | None = None
) -> PredictionCounts:
    """Inspect all parts by workers on a cluster; finished parts are kept.

    Each worker loads the model once. A part whose worker ends is given to another one. An image that ends
    `MOST_TRIES` workers gets a row with the reason.

    Args:
        request: model, images and results; each node must reach their files by the same paths.
        address: address of the cluster, or "local".
        needs: resources of one worker.
        most_workers: number of workers; the default is as many as fit now.

    Raises:
        UsageError: there is no cluster, or no worker fits.
        RcaeError: the errors of `inspect_shard`, on this machine or on a node.
    """
    require_parquet()
    cluster.require_ray()
    plan = open_plan(request.output, request.inputs, Model.of(request.load()))
    missing = missing_parts(plan)
    say(f"{len(missing)} of {plan.part_count} parts to inspect")
    if missing:
        with cluster.connected(address) as ray:
            size = most_workers or cluster.room(ray, needs)
            actor = ray.remote(**needs.options)(PartWorker)
            pool: Pool[Piece] = Pool(ray, lambda: actor.remote(request), size)
            failed = list(_failed_parts(pool, missing))
            _inspect_singly(pool, plan, failed)
    return counted(plan, range(plan.part_count))


class PartWorker:
    """Actor that inspects parts; see `rcae.many.workers.Pool`."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def ready(self) -> None:
        """Load model and plan.

        Raises:
            RcaeError: the node has another model or plan than the command, or none.
        """
        self._plan = read_plan(self._request.output)
        self._detector = self._request.load()
        if Model.of(self._detector) != self._plan.model:
            raise RcaeError(
                f"{self._request.run} on a node is another model than the plan's; give all nodes the same."
            )

    def work(self, piece: Piece) -> PredictionCounts | str:
        """Write a part and return its counts, or return the row of one image as JSON."""
        part, place = piece
        asked = self._request
        if place == WHOLE:
            return inspect_part(
                self._detector, self._plan, part, overlays=asked.overlays, maps=asked.maps
            )
        image = self._plan.locations(part)[place]
        number = self._plan.first_number(part) + place
        pictures = Pictures(self._plan.output, asked.overlays, asked.maps)
        (row,) = predicted(self._detector, [image], pictures, number)
        return row.to_json()


def _failed_parts(pool: Pool[Piece], missing: Sequence[int]) -> Iterator[int]:
    """Inspect the parts, and yield those that no worker finished.

    Raises:
        RcaeError: none of the first parts could be finished.
    """
    results = pool.results([(part, WHOLE) for part in missing])
    done = failed = 0
    for (part, _), result in shown(results, "inspecting parts", total=len(missing)):
        if isinstance(result, Failure):
            failed += 1
            if not done and failed == MOST_TRIES:
                raise RcaeError(f"{failed} parts failed and none succeeded: {result.reason}")
            yield part
        else:
            done += 1


def _inspect_singly(pool: Pool[Piece], plan: Plan, parts: Sequence[int]) -> None:
    """Inspect each image of failed parts alone, so that an image that ends its worker costs its own row."""
    pieces = [(part, place) for part in parts for place in range(plan.size(part))]
    rows: dict[int, dict[int, Prediction]] = defaultdict(dict)
    for (part, place), result in shown(pool.results(pieces), "inspecting singly", len(pieces)):
        rows[part][place] = _row(plan, part, place, result)
        if len(rows[part]) == plan.size(part):
            finished = rows.pop(part)
            write_part(plan, part, [finished[place] for place in range(plan.size(part))])


def _row(plan: Plan, part: int, place: int, result: Any) -> Prediction:
    if not isinstance(result, Failure):
        return Prediction.model_validate_json(result)
    image = plan.locations(part)[place]
    error = ImageError(f"{image} ended {MOST_TRIES} workers ({result.reason}); look at it alone.")
    return Prediction.unreadable(image, plan.model.threshold, error)
