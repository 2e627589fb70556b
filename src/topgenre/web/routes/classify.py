"""Classify an uploaded file, and find songs like it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse

from topgenre.errors import TopgenreError
from topgenre.web import schemas, uploads
from topgenre.web.problems import ProblemError, body, internal, responses
from topgenre.web.state import State, StateDep
from topgenre.web.work import Answer, Job, Mode, problem
from topgenre.workers.worker import JobError

LINES = "application/x-ndjson"
_UPLOAD_PROBLEMS = (
    "invalid_request", "upload_timeout", "too_large", "unsupported_media_type",
    "no_audio_stream", "damaged_audio", "too_short", "silent", "overrun", "crashed",
    "busy", "storage",
)  # fmt: skip
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

log = logging.getLogger("topgenre.server")

router = APIRouter()


@router.post(
    "/classify",
    operation_id="classify",
    response_model=schemas.Classification,
    openapi_extra=_MULTIPART,
    responses=responses(*_UPLOAD_PROBLEMS),
)
async def classify(
    request: Request,
    state: StateDep,
    top: Annotated[
        int | None, Query(ge=1, le=1000, description="Number of genres; by default all.")
    ] = None,
    mode: Annotated[Mode, Query(description="The middle 10 s, or the whole track.")] = "middle",
    spectrograms: Annotated[bool, Query(description="Send the spectrograms too.")] = False,
    cover: Annotated[bool, Query(description="Send the file's cover picture too.")] = False,
) -> Response:
    """Identify the genres of a sound file, most probable first.

    The file is deleted as soon as it has been analysed. With `Accept: application/x-ndjson`, the
    answer is JSON lines: `{"progress": 0.42}` while the file is analysed, and finally the result or
    the problem.
    """
    upload = await _received(request, state)
    job = Job(upload.name, mode, spectrograms, cover, identify=state.settings.corrections)
    lines = LINES in request.headers.get("accept", "")
    told: asyncio.Queue[float] = asyncio.Queue()
    work = _start(state, upload, job, told.put_nowait)

    def finished() -> Answer:
        answer: Answer = work.result()
        return {**answer, "genres": answer["genres"][:top]}

    if lines:
        return StreamingResponse(_lines(request, work, finished, told), media_type=LINES)
    await _unless_gone(request, work)
    return JSONResponse(finished())


@router.post(
    "/similar",
    operation_id="find_similar",
    response_model=schemas.SimilarSongs,
    openapi_extra=_MULTIPART,
    responses=responses(*_UPLOAD_PROBLEMS, "not_found"),
)
async def similar(
    request: Request,
    state: StateDep,
    limit: Annotated[int, Query(ge=1, le=50, description="Most songs to return.")] = 10,
) -> JSONResponse:
    """Find songs in the server's catalogue that sound like a file, most similar first."""
    library = state.library
    if library is None:
        await uploads.drain(request, state.settings.stall_limit)
        raise ProblemError("not_found", "this server has no catalogue; set TOPGENRE_CATALOG")
    upload = await _received(request, state)
    work = _start(state, upload, Job(upload.name, "similar"))
    await _unless_gone(request, work)
    found = work.result()
    try:
        songs = await run_in_threadpool(library.similar, found["embedding"], found["genres"], limit)
    except TopgenreError as error:
        said = "the server's catalogue cannot be read; its log says why"
        raise RuntimeError(f"{said}: {error}") from error
    return JSONResponse({"songs": songs})


async def _received(request: Request, state: State) -> uploads.Upload:
    """Receive an upload; read a refused one to its end, so the client gets the answer."""
    try:
        state.queue.check()
        upload = await state.inbox.receive(request)
        try:
            state.queue.take()
        except ProblemError:
            state.inbox.release(upload)
            raise
    except ProblemError:
        await uploads.drain(request, state.settings.stall_limit)
        raise
    state.metrics.uploaded.inc(upload.size)
    return upload


def _start(
    state: State,
    upload: uploads.Upload,
    job: Job,
    progress: Callable[[float], object] = lambda fraction: None,
) -> asyncio.Task[Answer]:
    """Start to classify an upload; its place and file are released afterwards."""

    async def run() -> Answer:
        file = upload.file.fileno()
        try:
            answer: Answer = await state.pool.run(job, file=file, progress=progress)
        except (TopgenreError, JobError) as error:
            found = problem(upload.name, error, state.settings.time_limit)
            if found is None:
                raise
            raise found from error
        return answer

    def done(work: asyncio.Task[Answer]) -> None:
        state.queue.leave()
        state.inbox.release(upload)

    work = asyncio.create_task(run())
    work.add_done_callback(done)
    return work


async def _unless_gone(request: Request, work: asyncio.Task[Any]) -> None:
    """Wait for work, but cancel it if the client disconnects."""
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ProblemError("invalid_request", "the client closed the connection")
    finally:
        leaving.cancel()
        work.cancel()
        await asyncio.gather(work, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _lines(
    request: Request,
    work: asyncio.Task[Answer],
    finished: Callable[[], Answer],
    told: asyncio.Queue[float],
) -> AsyncIterator[str]:
    """Yield the progress of work, and finally its outcome."""
    try:
        while not work.done():
            news = asyncio.ensure_future(told.get())
            await asyncio.wait({work, news}, return_when=asyncio.FIRST_COMPLETED)
            if news.done():
                yield f"{json.dumps({'progress': round(news.result(), 3)})}\n"
            news.cancel()
        try:
            outcome = finished()
        except ProblemError as error:
            outcome = body(error, request.state.request_id)
        except Exception as error:
            # The status is sent already, so the middleware for errors comes too late.
            fields = {"request_id": request.state.request_id}
            log.exception("unexpected %s", type(error).__name__, extra={"fields": fields})
            outcome = body(internal(), request.state.request_id)
        yield f"{json.dumps(outcome)}\n"
    finally:
        work.cancel()
