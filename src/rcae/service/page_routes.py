"""Routes of the page for people, and of the health checks and metrics."""

from pathlib import Path

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import FileResponse, JSONResponse

from rcae.service.readiness import Readiness
from rcae.service.service import Service

PAGE = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}


def page_routes(service: Service) -> APIRouter:
    """Create all routes outside /api; none of them needs the key."""
    routes = APIRouter(include_in_schema=False)
    readiness = Readiness(service)

    @routes.get("/")
    def page() -> FileResponse:
        return _file("index.html")

    @routes.get("/page/{name}")
    def page_file(name: str) -> FileResponse:
        return _file(name)

    @routes.get("/health")
    def health() -> dict[str, str]:
        """Report that the process answers."""
        return {"status": "ok"}

    @routes.get("/ready")
    def ready() -> JSONResponse:
        """Report readiness: the record is readable, and every model's thread is alive."""
        reasons, warnings = readiness.reasons(), readiness.warnings()
        return JSONResponse(
            {
                "status": "not ready" if reasons else "ready",
                "reasons": reasons,
                "warnings": warnings,
            },
            503 if reasons else 200,
        )

    @routes.get("/metrics")
    def metrics() -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")

    return routes


def _file(name: str) -> FileResponse:
    """Return one of the page's own files, found by name; the request is never used as a path."""
    for file in PAGE.iterdir():
        if file.name == name and file.suffix in _TYPES:
            return FileResponse(file, media_type=_TYPES[file.suffix])
    raise HTTPException(404, "There is no such file; the page is at /.")
