"""Assembly of the HTTP application."""

import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path

from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from rcae.line.outputs.delivery import Delivery
from rcae.line.record.kept_images import KeptImages
from rcae.line.record.record import Record
from rcae.service.answers import problems
from rcae.service.bodies import LimitBodies
from rcae.service.errors_as_answers import answer_errors
from rcae.service.history_routes import history_routes
from rcae.service.inspection_routes import inspection_routes
from rcae.service.limits import Limits, Memory
from rcae.service.metrics import CountRefusals, ServiceMetrics
from rcae.service.model_routes import model_routes
from rcae.service.page_routes import page_routes
from rcae.service.schema import complete_schema, operation_id
from rcae.service.security import Gate
from rcae.service.served_model import ServedModel
from rcae.service.service import Service
from rcae.service.strictness import AnswerHead, refuse_unknown


def create_app(
    models: Mapping[str, ServedModel],
    record: Record,
    kept_images: KeptImages,
    *,
    allowed: Sequence[Path] = (),
    api_key: str | None = None,
    limits: Limits | None = None,
    deliveries: Sequence[Delivery] = (),
) -> ASGIApp:
    """Create the application; its shutdown first finishes the accepted requests.

    Args:
        models: models from `load_models`.
        record: the record of the inspections.
        kept_images: the pictures of the inspections.
        allowed: folders from `allowed_folders`.
        api_key: key that requests to /api need; None answers only requests to localhost.
        limits: limits of requests; the default is `Limits()`.
        deliveries: deliveries whose state the metrics report.
    """
    limits = limits or Limits()
    metrics = ServiceMetrics(models, deliveries)
    service = Service(
        models=dict(models),
        record=record,
        kept_images=kept_images,
        allowed=tuple(allowed),
        limits=limits,
        memory=Memory(limits.memory_bytes),
        metrics=metrics,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threading.Thread(target=service.catch_up, name="catching up", daemon=True).start()
        yield
        for model in service.models.values():
            await run_in_threadpool(model.batcher.close)

    app = FastAPI(
        title="RcAE",
        version=metadata.version("rcae"),
        lifespan=lifespan,
        docs_url=None,  # these pages would fetch scripts from other hosts
        redoc_url=None,
        responses=problems(401, 403, 421, 422, 503),
        generate_unique_id_function=operation_id,
    )
    complete_schema(app)
    answer_errors(app, metrics)
    for routes in (inspection_routes, history_routes, model_routes):
        app.include_router(routes(service), dependencies=[Depends(refuse_unknown)])
    app.include_router(page_routes(service))
    app.add_middleware(LimitBodies, limits=limits)
    app.add_middleware(Gate, api_key=api_key)
    app.add_middleware(AnswerHead)
    return CountRefusals(app, metrics)
