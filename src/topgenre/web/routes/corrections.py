"""Correct the genre of a song in the server's catalogue, if its owner allows that."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from topgenre.errors import TopgenreError
from topgenre.web import schemas, uploads
from topgenre.web.problems import ProblemError, responses
from topgenre.web.state import StateDep

_MOST_BYTES = 4096
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": schemas.Correction.model_json_schema()}},
    }
}

router = APIRouter()


@router.post(
    "/corrections",
    operation_id="correct",
    response_model=schemas.Correction,
    openapi_extra=_BODY,
    responses=responses("not_found", "too_large", "upload_timeout"),
)
async def correct(request: Request, state: StateDep) -> JSONResponse:
    """Correct the genre of a song in the server's catalogue.

    The next `topgenre teach` learns from it. Music files are never changed.
    """
    if state.library is None or not state.settings.corrections:
        await uploads.drain(request, state.settings.stall_limit)
        raise ProblemError("not_found", "no corrections here; set TOPGENRE_CORRECTIONS=1")
    said = await _received(request, state.settings.stall_limit)
    genre = " ".join(said.genre.split())
    if not genre:
        raise ProblemError("invalid_request", "genre: enter one")
    try:
        known = await run_in_threadpool(state.library.correct, bytes.fromhex(said.id), genre)
    except TopgenreError as error:
        why = "the server's catalogue cannot be written; its log says why"
        raise RuntimeError(f"{why}: {error}") from error
    if not known:
        raise ProblemError(
            "not_found",
            "this song is not in the server's catalogue; scan it first",
        )
    return JSONResponse({"id": said.id, "genre": genre})


async def _received(request: Request, stall_limit: float) -> schemas.Correction:
    """Read a correction; the rest of an overlong body is discarded."""
    body = bytearray()
    try:
        async with asyncio.timeout(stall_limit):
            async for chunk in request.stream():
                body += chunk[: _MOST_BYTES + 1 - len(body)]
    except TimeoutError as error:
        raise ProblemError("upload_timeout", "the correction did not arrive in time") from error
    if len(body) > _MOST_BYTES:
        raise ProblemError("too_large", f"a correction has at most {_MOST_BYTES} bytes")
    try:
        return schemas.Correction.model_validate_json(bytes(body))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = " ".join(map(str, first["loc"])) or "body"
        raise ProblemError("invalid_request", f"{where}: {first['msg']}") from error
