"""Routes that receive images."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from rcae.base.errors import ImageError
from rcae.line.inspector import Arrival
from rcae.line.record.inspection import Inspection
from rcae.service.answers import Paths, Results, Unusable, problems
from rcae.service.batching import Answers
from rcae.service.bodies import too_large
from rcae.service.limits import Share
from rcae.service.paths import read_file, resolved
from rcae.service.service import Service
from rcae.service.uploads import read_images, request_body, shown_name

IdempotencyKey = Annotated[str | None, Header(min_length=8, max_length=200)]


def inspection_routes(service: Service) -> APIRouter:
    """Create the routes that answer with new inspections."""
    routes = APIRouter(prefix="/api/models/{name}", tags=["inspect"])

    @routes.post(
        "/inspections",
        status_code=201,
        responses=problems(400, 404, 408, 413, 415, 504),
        openapi_extra=request_body("image", several=False),
    )
    async def inspect_image(
        name: str, request: Request, idempotency_key: IdempotencyKey = None
    ) -> Inspection:
        """Inspect and record the file `image`; the same `Idempotency-Key` gets the same inspection."""
        model = service.model(name)
        with service.memory.share() as share:
            arrivals = await read_images(request, "image", share, service.limits, several=False)
            if idempotency_key is not None:
                arrivals = [named_by(idempotency_key, name, arrivals[0])]
                if known := await run_in_threadpool(service.known, arrivals[0]):
                    return known
            answer = (await service.inspect(model, arrivals, request))[0]
        if isinstance(answer, ImageError):
            raise answer
        return answer

    @routes.post(
        "/batches",
        responses=problems(400, 404, 408, 413, 415, 504),
        openapi_extra=request_body("images", several=True),
    )
    async def inspect_images(name: str, request: Request) -> Results:
        """Inspect and record all files `images`; all usable images are recorded, or none."""
        model = service.model(name)
        with service.memory.share() as share:
            arrivals = await read_images(request, "images", share, service.limits, several=True)
            return _results(arrivals, await service.inspect(model, arrivals, request))

    @routes.post("/inspections-of-paths", responses=problems(404, 408, 413, 504))
    async def inspect_paths(name: str, body: Paths, request: Request) -> Results:
        """Inspect and record files in the folders that the service may read."""
        model, limits = service.model(name), service.limits
        if len(body.paths) > limits.batch_images:
            raise HTTPException(413, f"More than {limits.batch_images} paths; send fewer at once.")
        targets = [resolved(path, service.allowed) for path in body.paths]
        with service.memory.share() as share:
            contents = [await _content(service, target, share) for target in targets]
            names = [shown_name(target) for target in targets]
            arrivals = [
                Arrival(source, content)
                for source, content in zip(names, contents, strict=True)
                if isinstance(content, bytes)
            ]
            answers = iter(await service.inspect(model, arrivals, request))
        complete = [one if isinstance(one, ImageError) else next(answers) for one in contents]
        return _results([Arrival(source, b"") for source in names], complete)

    return routes


def named_by(key: str, model: str, arrival: Arrival) -> Arrival:
    """Return the arrival with the id that belongs to a client's key for this model."""
    digest = hashlib.sha256(f"{model}\n{key}".encode()).hexdigest()
    return replace(arrival, id=digest[:32])


async def _content(service: Service, target: Path, share: Share) -> bytes | ImageError:
    try:
        content = await run_in_threadpool(read_file, target, service.limits.upload_bytes)
    except ImageError as error:
        return error
    if share.held_bytes + len(content) > service.limits.batch_bytes:
        raise too_large(service.limits.batch_bytes)
    share.grow(len(content))
    return content


def _results(arrivals: list[Arrival], answers: Answers) -> Results:
    return Results(
        [
            Unusable(arrival.source, str(answer)) if isinstance(answer, ImageError) else answer
            for arrival, answer in zip(arrivals, answers, strict=True)
        ]
    )
