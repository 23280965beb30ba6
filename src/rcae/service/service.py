"""State that all requests share, and the inspection of one request's images."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from rcae.base.errors import ImageError, RcaeError
from rcae.data.image_files import ImageContent
from rcae.data.images import image_size
from rcae.line.inspector import Arrival
from rcae.line.record.inspection import ID, Inspection
from rcae.line.record.kept_images import KeptImages
from rcae.line.record.record import Record
from rcae.service.batching import Answers, Job
from rcae.service.limits import Limits, Memory
from rcae.service.metrics import ServiceMetrics
from rcae.service.served_model import ServedModel


@dataclass(frozen=True)
class Service:
    """State of the service, created once at its start."""

    models: dict[str, ServedModel]
    record: Record
    kept_images: KeptImages
    allowed: tuple[Path, ...]
    """Resolved folders whose images may be inspected by their paths."""
    limits: Limits
    memory: Memory
    metrics: ServiceMetrics

    def model(self, name: str) -> ServedModel:
        """Return the model of this name, or raise 404."""
        if name not in self.models:
            raise HTTPException(404, "There is no model of this name; see /api/models.")
        return self.models[name]

    def inspection(self, id: str) -> Inspection:  # noqa: A002
        """Return the inspection with this id, or raise 404."""
        found = self.record.get(id) if ID.fullmatch(id) else None
        if found is None:
            raise HTTPException(404, "There is no inspection with this id; see /api/inspections.")
        return found

    def known(self, arrival: Arrival) -> Inspection | None:
        """Return the inspection of an arrival that was recorded before, by its id.

        Raises:
            HTTPException: 422, it was another image.
        """
        found = self.record.get(arrival.id) if arrival.id else None
        if found and found.image_sha256 != hashlib.sha256(arrival.content).hexdigest():
            raise HTTPException(
                422,
                "This Idempotency-Key came with another image before; use a new key for each image.",
            )
        return found

    async def inspect(
        self, model: ServedModel, arrivals: Sequence[Arrival], request: Request
    ) -> Answers:
        """Inspect and record the images of a request; return one answer each, in order.

        A timeout raises 504. It stops the work before the next tile, as does a client that leaves.

        Raises:
            BusyError, StoppingError: the request was not accepted.
            StoppedError: the service is shutting down; nothing was recorded.
            ClientDisconnect: the client left.
            StorageError: the record refused; nothing was recorded.
        """
        arrived_at_s = time.perf_counter()
        loads = await run_in_threadpool(self._loads, model, arrivals)
        usable = [one for one, load in zip(arrivals, loads, strict=True) if isinstance(load, int)]
        for _ in range(len(arrivals) - len(usable)):
            self.metrics.unusable(model.name)
        found: Answers = []
        if usable:
            job = model.batcher.submit(usable, sum(load for load in loads if isinstance(load, int)))
            found = await self._answers(model, job, request, arrived_at_s)
        answers = iter(found)
        return [next(answers) if isinstance(load, int) else load for load in loads]

    async def _answers(
        self, model: ServedModel, job: Job, request: Request, arrived_at_s: float
    ) -> Answers:
        def count(answered: Future[Answers]) -> None:
            if answered.exception() is None:
                duration_s = time.perf_counter() - arrived_at_s
                self.metrics.inspected(model.name, answered.result(), duration_s)

        job.answers.add_done_callback(count)  # called by the model's thread, also after a 504
        answers = asyncio.wrap_future(job.answers)
        leaving = asyncio.ensure_future(_leaving(request))
        longest_s = min(self.limits.answer_s * len(job.arrivals), self.limits.batch_s)
        try:
            await asyncio.wait(
                (answers, leaving), timeout=longest_s, return_when=asyncio.FIRST_COMPLETED
            )
            if answers.done():
                return answers.result()
        finally:
            if not answers.done():
                answers.cancel()
                model.batcher.give_up(job)
            leaving.cancel()
        if leaving.done():
            raise ClientDisconnect
        raise HTTPException(
            504,
            f"This took longer than {longest_s:g} s. It is stopped unless it is nearly done: look for it "
            "in /api/inspections before you send it again.",
        )

    def catch_up(self) -> None:
        """Update the drift of all models, so that the first request need not wait for it."""
        for model in self.models.values():
            with suppress(RcaeError):  # a later request reports the error
                model.drift.now()

    def _loads(self, model: ServedModel, arrivals: Sequence[Arrival]) -> list[int | ImageError]:
        return [_load(arrival, model, self.limits) for arrival in arrivals]


def _load(arrival: Arrival, model: ServedModel, limits: Limits) -> int | ImageError:
    """Return the pixels that the model draws for an image, or the error that its header alone reveals."""
    detector = model.inspector.detector
    try:
        height_px, width_px = image_size(ImageContent(arrival.source, arrival.content))
        if detector.usual is not None:
            detector.usual.size_remark(arrival.source, height_px, width_px, detector.size_limit)
    except ImageError as error:
        return error
    if height_px * width_px > limits.pixels:
        return ImageError(
            f"{arrival.source} has {width_px}x{height_px} px, more than the {limits.pixels} pixels that "
            "are inspected; shrink it or cut it into parts."
        )
    work_px = detector.work_px(height_px, width_px)
    if (least_s := model.batcher.least_s(work_px)) > limits.answer_s:
        return ImageError(
            f"{arrival.source} has {width_px}x{height_px} px and would take at least {least_s:.0f} s, more "
            f"than the {limits.answer_s:g} s of an image; shrink it or cut it into parts."
        )
    return work_px


async def _leaving(request: Request) -> None:
    """Wait until the client of a completely received request leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
