"""The models that are served: thresholds, drift, cards."""

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from rcae.base.text import printable
from rcae.service.answers import ModelAnswer, NewThreshold, problems
from rcae.service.drift_watch import Drift
from rcae.service.service import Service

CARD_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
)
"""A card has its style and pictures inside, and no script."""


def model_routes(service: Service) -> APIRouter:
    """Everything about models but inspections."""
    routes = APIRouter(prefix="/api/models", tags=["models"])

    @routes.get("")
    def served_models() -> list[ModelAnswer]:
        """All models, in the order they were given."""
        return [ModelAnswer.of(model) for model in service.models.values()]

    @routes.put("/{name}/threshold", responses=problems(404, 408, 413))
    def apply_threshold(name: str, body: NewThreshold) -> ModelAnswer:
        """Let this threshold decide in every process on this record, until the model is calibrated again."""
        model = service.model(name)
        model.heat_scale(body.threshold)  # raises where the threshold makes no sense
        model.inspector.apply_threshold(body.threshold, printable(body.author))
        return ModelAnswer.of(model)

    @routes.get("/{name}/drift", responses=problems(404))
    def model_drift(name: str) -> Drift:
        """Whether scores still look like the calibration scores; all inspections recorded count."""
        return service.model(name).drift.now()

    @routes.get(
        "/{name}/card",
        response_class=FileResponse,
        responses=problems(404) | {200: {"content": {"text/html": {}}}},
    )
    def model_card(name: str) -> FileResponse:
        """The page that 'rcae card' made."""
        page = service.model(name).file.card
        if page is None:
            raise HTTPException(
                404, "This model has no card yet; make one with 'rcae card RUN' on its run folder."
            )
        return FileResponse(
            page, media_type="text/html", headers={"Content-Security-Policy": CARD_POLICY}
        )

    return routes
