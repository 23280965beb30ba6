"""State that all requests share, and the inspection of one request's images."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool

from rcae.base.errors import ImageError, RcaeError
from rcae.data.image_files import ImageContent
from rcae.data.images import image_size
from rcae.detector.detector import Detector
from rcae.line.inspector import Arrival
from rcae.line.record.inspection import ID, Inspection
from rcae.line.record.kept_images import KeptImages
from rcae.line.record.record import Record
from rcae.service.batching import Answers
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

    async def inspect(self, model: ServedModel, arrivals: Sequence[Arrival]) -> Answers:
        """Inspect and record the images; return one answer each, in order.

        A timeout raises 504; the inspection then continues.

        Raises:
            BusyError, StoppingError: the request was not accepted.
            StorageError: the record refused; nothing was recorded.
        """
        arrived_at_s = time.perf_counter()
        problems = await run_in_threadpool(self._problems, model, arrivals)
        usable = [one for one, problem in zip(arrivals, problems, strict=True) if problem is None]
        for _ in range(len(arrivals) - len(usable)):
            self.metrics.unusable(model.name)
        answers = iter(await self._answers(model, usable, arrived_at_s) if usable else [])
        return [problem or next(answers) for problem in problems]

    async def _answers(
        self, model: ServedModel, arrivals: Sequence[Arrival], arrived_at_s: float
    ) -> Answers:
        def count(answered: Future[Answers]) -> None:
            if answered.exception() is None:
                duration_s = time.perf_counter() - arrived_at_s
                self.metrics.inspected(model.name, answered.result(), duration_s)

        submitted = model.batcher.submit(arrivals)
        submitted.add_done_callback(count)  # called by the model's thread, also after a 504
        answers = asyncio.wrap_future(submitted)
        longest_s = min(self.limits.answer_s * len(arrivals), self.limits.batch_s)
        try:
            return await asyncio.wait_for(answers, longest_s)
        except TimeoutError as error:
            raise HTTPException(
                504,
                f"This took longer than {longest_s:g} s. It is still being inspected and recorded: look "
                "for it in /api/inspections before you send it again.",
            ) from error

    def catch_up(self) -> None:
        """Update the drift of all models, so that the first request need not wait for it."""
        for model in self.models.values():
            with suppress(RcaeError):  # a later request reports the error
                model.drift.now()

    def _problems(self, model: ServedModel, arrivals: Sequence[Arrival]) -> list[ImageError | None]:
        detector = model.inspector.detector
        return [_problem(arrival, detector, self.limits.pixels) for arrival in arrivals]


def _problem(arrival: Arrival, detector: Detector, most_pixels: int) -> ImageError | None:
    """Return the error that the header alone reveals, so that the image need not wait in a queue."""
    try:
        height_px, width_px = image_size(ImageContent(arrival.source, arrival.content))
        if detector.usual is not None:
            detector.usual.size_remark(arrival.source, height_px, width_px, detector.size_limit)
    except ImageError as error:
        return error
    if height_px * width_px > most_pixels:
        return ImageError(
            f"{arrival.source} has {width_px}x{height_px} px, more than the {most_pixels} pixels that "
            "are inspected; shrink it or cut it into parts."
        )
    return None
