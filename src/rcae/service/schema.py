"""OpenAPI schema: what FastAPI does not write by itself, so that generated clients work."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from rcae.service.answers import PROBLEM_TYPE


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation in generated clients: that of its function, whatever its path."""
    return route.name


def complete_schema(app: FastAPI) -> None:
    """Let the schema name the media type of problems (RFC 9457) and the API key."""
    written = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = written()
            key = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
            schema["components"]["securitySchemes"] = {"ApiKey": key}
            schema["security"] = [{"ApiKey": []}, {}]  # without --api-key-file none is needed
            for operations in schema["paths"].values():
                for operation in operations.values():
                    _type_problems(operation["responses"])
        assert app.openapi_schema is not None, "it was just written"
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]  # FastAPI's documented way


def _type_problems(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        if status >= "400":
            response["content"] = {PROBLEM_TYPE: response["content"]["application/json"]}
