"""Routes of the history: search, pictures and reviews of inspections."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import AwareDatetime
from starlette.concurrency import run_in_threadpool

from rcae.base.text import printable
from rcae.line.record.inspection import Inspection, Review, ReviewState
from rcae.line.record.inspection import Query as RecordQuery
from rcae.service import inspected_pictures
from rcae.service.answers import DeadLettersAnswer, Inspections, NewReview, Scores, problems
from rcae.service.service import Service

Number = Annotated[int | None, Query(ge=0, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=500)]
ScoreLimit = Annotated[int, Query(ge=1, le=10_000)]
Share = Annotated[float | None, Query(ge=0, le=10, allow_inf_nan=False)]
Longest = Annotated[int | None, Query(ge=16, le=4096)]
Make = Callable[[Service, Inspection], inspected_pictures.Content]
Text = Annotated[str | None, Query(max_length=300)]

BINARY = {"type": "string", "format": "binary"}
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}


def history_routes(service: Service) -> APIRouter:
    """Create the routes that read the record, and the route for reviews."""
    routes = APIRouter(prefix="/api", tags=["history"])

    @routes.get("/inspections")
    def find_inspections(
        model: Text = None,
        is_defective: bool | None = None,
        reviewed: ReviewState | None = None,
        borderline: Share = None,
        since: AwareDatetime | None = None,
        until: AwareDatetime | None = None,
        source: Text = None,
        below: Number = None,
        above: Number = None,
        limit: Limit = 50,
    ) -> Inspections:
        """Return the matching inspections, newest first; the next page has `below` = the last number."""
        query = RecordQuery(
            model=None if model is None else printable(model),
            is_defective=is_defective,
            reviewed=reviewed,
            since=_in_utc(since),
            until=_in_utc(until),
            source_contains=None if source is None else printable(source),
            borderline=borderline,
            number_below=below,
            number_above=above,
        )
        return Inspections(service.record.find(query, limit=limit))

    @routes.get("/scores")
    def recent_scores(model: Text = None, limit: ScoreLimit = 2000) -> Scores:
        """Return the scores of the last inspections, for a histogram."""
        query = RecordQuery(model=None if model is None else printable(model))
        return Scores(service.record.scores(query, limit=limit).tolist())

    @routes.get("/dead-letters")
    def dead_letters(limit: Limit = 50) -> DeadLettersAnswer:
        """Return the inspections that outputs could not deliver, of all processes on this record."""
        letters = service.record.dead_letters
        return DeadLettersAnswer(letters.counts(), letters.newest(limit))

    @routes.get("/inspections/{id}", responses=problems(404))
    def one_inspection(id: str) -> Inspection:  # noqa: A002
        """Return an inspection with its reviews, oldest first."""
        return service.inspection(id)

    @routes.post("/inspections/{id}/reviews", status_code=201, responses=problems(404, 408, 413))
    def review_inspection(id: str, body: NewReview) -> Inspection:  # noqa: A002
        """Add a review; all reviews stay, and the last one counts."""
        note = "\n".join(map(printable, body.note.splitlines()))
        review = Review(body.verdict, printable(body.author), note, datetime.now(UTC))
        reviewed = service.record.review(service.inspection(id).id, review)
        if reviewed is None:
            raise HTTPException(404, "There is no inspection with this id; see /api/inspections.")
        return reviewed

    making = asyncio.Semaphore(service.limits.pictures_at_once)

    async def made(make: Make, id: str) -> Response:  # noqa: A002
        async with making:  # a waiting request holds no thread
            content, media_type = await run_in_threadpool(
                lambda: make(service, service.inspection(id))
            )
        return Response(content, media_type=media_type, headers=_FOREVER)

    def add(kind: str, make: Make, media_type: str) -> None:
        async def answer(id: str) -> Response:  # noqa: A002
            return await made(make, id)

        path, name = f"/inspections/{{id}}/{kind}", f"inspection_{kind}"
        routes.get(path, name=name, description=make.__doc__, **_describes(media_type))(answer)

    for kind, (make, media_type) in inspected_pictures.KINDS.items():
        add(kind, make, media_type)

    @routes.get("/inspections/{id}/picture", **_describes("image/png"))
    async def inspection_picture(id: str, longest_px: Longest = None) -> Response:  # noqa: A002
        """Return the image as the model saw it: upright, 8-bit RGB, PNG; shrunk on request."""
        return await made(partial(inspected_pictures.picture, longest_px=longest_px), id)

    return routes


def _describes(media_type: str) -> dict[str, Any]:
    """Return the OpenAPI description of a picture."""
    return {
        "response_class": Response,
        "responses": problems(404, 410) | {200: {"content": {media_type: {"schema": BINARY}}}},
    }


def _in_utc(moment: datetime | None) -> datetime | None:
    try:
        return None if moment is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise HTTPException(422, "A time lies before the year 1 or after the year 9999.") from error
