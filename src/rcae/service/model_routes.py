"""Routes of the served models: thresholds, drift, cards."""

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from rcae.base.text import printable
from rcae.line.record.changes import Change
from rcae.service.answers import Acknowledgement, ModelAnswer, NewThreshold, problems
from rcae.service.observed import Drift
from rcae.service.service import Service

CARD_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
)
"""Content policy of a card, which has inline styles and pictures, and no script."""


def model_routes(service: Service) -> APIRouter:
    """Create the routes about models, except inspections."""
    routes = APIRouter(prefix="/api/models", tags=["models"])

    @routes.get("")
    def served_models() -> list[ModelAnswer]:
        """Return all models, in the order of the command line."""
        return [ModelAnswer.of(model) for model in service.models.values()]

    @routes.put("/{name}/threshold", responses=problems(404, 408, 413))
    def apply_threshold(name: str, body: NewThreshold) -> ModelAnswer:
        """Apply this threshold in every process on this record, until the model is calibrated again."""
        model = service.model(name)
        author, reason = printable(body.author), printable(body.reason)
        model.inspector.apply_threshold(body.threshold, author, reason)
        return ModelAnswer.of(model)

    @routes.get("/{name}/changes", responses=problems(404))
    def model_changes(name: str) -> list[Change]:
        """Return every change of model, calibration and threshold, and acknowledged drift, oldest first."""
        model = service.model(name)
        return service.record.changes.of(model.name, model.inspector.model_sha256)

    @routes.get("/{name}/drift", responses=problems(404))
    def model_drift(name: str) -> Drift:
        """Return the drift of the scores from the calibration scores, since the last change of the model."""
        return service.model(name).drift.now()

    @routes.post("/{name}/drift/acknowledgements", responses=problems(404, 408, 413))
    def acknowledge_drift(name: str, body: Acknowledgement) -> Drift:
        """Note who knows of the drift, and why; drift is observed anew from the next inspection on."""
        model = service.model(name)
        model.inspector.acknowledge_drift(printable(body.author), printable(body.reason))
        return model.drift.now()

    @routes.get(
        "/{name}/card",
        response_class=FileResponse,
        responses=problems(404) | {200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
    )
    def model_card(name: str) -> FileResponse:
        """Return the page that 'rcae card' made."""
        page = service.model(name).file.card
        if page is None:
            raise HTTPException(
                404, "This model has no card yet; make one with 'rcae card RUN' on its run folder."
            )
        return FileResponse(
            page, media_type="text/html", headers={"Content-Security-Policy": CARD_POLICY}
        )

    return routes
