"""The addresses of the API, version 1, and of the server's own health."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

import topgenre
from topgenre.errors import TopgenreError
from topgenre.library.find import SUFFIXES
from topgenre.web import schemas, uploads
from topgenre.web.metrics import Metrics
from topgenre.web.problems import ProblemError, responses
from topgenre.web.queue import Queue
from topgenre.web.settings import Settings
from topgenre.web.work import Answer, Job, Mode, problem
from topgenre.workers.asyncio_pool import AsyncPool
from topgenre.workers.worker import JobError

_MOST_WEIGHTS = 20  # genres in one request for recommendations
_MULTIPART = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [uploads.FIELD],
                    "properties": {
                        uploads.FIELD: {
                            "type": "string",
                            "format": "binary",
                            "description": "A sound file in any common format.",
                        }
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class State:
    """What the routes of one server share."""

    settings: Settings
    metrics: Metrics
    pool: AsyncPool
    queue: Queue
    genres: tuple[str, ...]
    model: str


v1 = APIRouter(prefix="/v1", tags=["v1"])
health = APIRouter(tags=["health"])


def _state(request: Request) -> State:
    state = request.app.state.topgenre
    assert isinstance(state, State)
    return state


@v1.post(
    "/classify",
    operation_id="classify",
    response_model=schemas.Classification,
    openapi_extra=_MULTIPART,
    responses=responses(
        "invalid_request", "upload_timeout", "too_large", "unsupported_media_type",
        "no_audio_stream", "damaged_audio", "too_short", "silent", "overrun", "crashed",
        "busy", "storage",
    ),
)  # fmt: skip
async def classify(
    request: Request,
    top: Annotated[
        int | None, Query(ge=1, le=1000, description="How many genres; all if not given.")
    ] = None,
    mode: Annotated[Mode, Query(description="The middle 10 s, or the whole track.")] = "middle",
    spectrograms: Annotated[bool, Query(description="Send the spectrograms too.")] = False,
) -> JSONResponse:
    """Name the genres of a sound file, most probable first.

    The file is deleted as soon as it has been analysed.
    """
    state = _state(request)
    try:
        answer = await _classified(request, state, mode, spectrograms)
    except ProblemError:
        await uploads.drain(request, state.settings.stall_limit)
        raise
    answer["genres"] = answer["genres"][:top]
    return JSONResponse(answer)


async def _classified(request: Request, state: State, mode: Mode, spectrograms: bool) -> Answer:
    settings = state.settings
    state.queue.check()
    async with uploads.receive(request, settings.max_upload_bytes, settings.stall_limit) as upload:
        state.metrics.uploaded.inc(upload.size)
        job = Job(upload.name, mode, spectrograms)
        with state.queue.place():
            try:
                return await _unless_gone(request, state.pool.run(job, file=upload.file.fileno()))
            except (TopgenreError, JobError) as error:
                found = problem(upload.name, error, settings.time_limit)
                if found is None:
                    raise
                raise found from error


async def _unless_gone(request: Request, work: Any) -> Answer:
    """Do the work, but give it up when the one who asked has gone."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ProblemError("invalid_request", "the client closed the connection")
        result: Answer = working.result()
        return result
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@v1.get("/genres", operation_id="list_genres", response_model=schemas.Genres, responses=responses())
async def genres(request: Request) -> JSONResponse:
    """List the genres that the model tells apart."""
    state = _state(request)
    return JSONResponse({"model": state.model, "genres": state.genres})


@v1.get("/info", operation_id="info", response_model=schemas.Info, responses=responses())
async def info(request: Request) -> JSONResponse:
    """Tell what a client needs to know about this server; needs no API key."""
    from topgenre.recommend import available

    state = _state(request)
    providers = await run_in_threadpool(available)
    return JSONResponse(
        {
            "version": topgenre.__version__,
            "model": state.model,
            "genres": state.genres,
            "max_upload_bytes": state.settings.max_upload_bytes,
            "suffixes": sorted(SUFFIXES),
            "recommendation_providers": [provider.to_dict() for provider in providers],
            "needs_api_key": state.settings.api_key is not None,
        }
    )


@v1.get(
    "/recommendations",
    operation_id="recommend",
    response_model=schemas.Recommendations,
    responses=responses("invalid_request"),
)
async def recommendations(
    request: Request,
    genre: Annotated[
        list[str],
        Query(
            min_length=1,
            max_length=_MOST_WEIGHTS,
            description="A genre, or genre:weight; repeat it for a mixture.",
            examples=[["jazz:0.7", "blues:0.3"]],
        ),
    ],
    limit: Annotated[int, Query(ge=1, le=50, description="Items in each section.")] = 10,
    provider: Annotated[
        list[str] | None, Query(max_length=10, description="Providers; the default ones if none.")
    ] = None,
) -> JSONResponse:
    """Find music for a mixture of genres, in a section for each provider."""
    from topgenre.recommend import recommend
    from topgenre.recommend.items import parse_weight

    try:
        weights = [parse_weight(text) for text in genre]
        sections = await run_in_threadpool(recommend, weights, limit=limit, providers=provider)
    except ValueError as error:
        raise ProblemError("invalid_request", str(error)) from error
    return JSONResponse({"sections": [section.to_dict() for section in sections]})


@health.get(
    "/healthz", operation_id="is_alive", response_model=schemas.Status, responses=responses()
)
async def is_alive() -> JSONResponse:
    """Tell that the server lives."""
    return JSONResponse({"status": "ok"})


@health.get(
    "/readyz", operation_id="is_ready", response_model=schemas.Status, responses=responses("busy")
)
async def is_ready(request: Request) -> JSONResponse:
    """Tell whether the server can work."""
    if not _state(request).pool.ready:
        raise ProblemError("busy", "no worker process is up yet", 1)
    return JSONResponse({"status": "ready"})


@health.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={
        200: {"description": "Prometheus' text format", "content": {"text/plain": {}}},
        **responses(),
    },
)
async def metrics(request: Request) -> Response:
    """Give the counters to Prometheus."""
    return Response(_state(request).metrics.text(), media_type="text/plain; version=0.0.4")
