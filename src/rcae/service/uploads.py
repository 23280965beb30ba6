"""Images from multipart requests: read in pieces, cut off at the limit, and kept in memory."""

from collections.abc import AsyncGenerator

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from rcae.base.text import printable
from rcae.line.inspector import Arrival
from rcae.service.bodies import CLOSE, allow
from rcae.service.limits import Limits, Share

LONGEST_NAME = 200
"""Characters of a file's name that are kept."""
_MOST_FIELDS = 16
"""Number of other fields that are read until the first of them is refused."""


def request_body(field: str, *, several: bool) -> dict[str, object]:
    """Return the OpenAPI description of a request for `read_images`."""
    file = {"type": "string", "format": "binary"}
    content = {"type": "array", "items": file, "minItems": 1} if several else file
    schema = {"type": "object", "required": [field], "properties": {field: content}}
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


async def read_images(
    request: Request, field: str, share: Share, limits: Limits, *, several: bool
) -> list[Arrival]:
    """Read the files of this field, in order: at least one, and exactly one unless `several`.

    Raises:
        HTTPException: 408 too slow, 413 too large or too many, 415 not a form, 422 no such file in it.
        BusyError: all requests together hold too much memory.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != "multipart/form-data":
        raise HTTPException(
            415,
            f"Send multipart/form-data with the image as the file '{field}', as 'curl -F' does.",
        )
    most_bytes = limits.batch_bytes if several else limits.upload_bytes
    allow(request, most_bytes)
    parser = MultiPartParser(
        request.headers,
        _pieces(request, share),
        max_files=limits.batch_images if several else 1,
        max_fields=_MOST_FIELDS,
    )
    parser.spool_max_size = most_bytes  # uploads never go to disk
    try:
        form = await parser.parse()
    except MultiPartException as error:
        status = 413 if error.message.startswith("Too many files") else 422
        raise HTTPException(status, f"The form cannot be read: {error.message}", CLOSE) from error
    try:
        files = [file for file in form.getlist(field) if isinstance(file, UploadFile)]
        arrivals = [Arrival(shown_name(file.filename), await file.read()) for file in files]
    finally:
        await form.close()
    for unknown in form:
        if unknown != field:
            shown = shown_name(unknown)
            raise HTTPException(
                422, f"The form's field '{shown}' is not known; send '{field}' alone."
            )
    if not arrivals:
        raise HTTPException(
            422, f"The form has no file '{field}'; send one with a file name, as 'curl -F' does."
        )
    return arrivals


def shown_name(name: object) -> str:
    """Return the printable name of a file: for people, of bounded length, never used as a path."""
    return printable(name or "upload")[:LONGEST_NAME]


async def _pieces(request: Request, share: Share) -> AsyncGenerator[bytes, None]:
    async for piece in request.stream():
        share.grow(len(piece))
        yield piece
