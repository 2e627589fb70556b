"""Report whether the server is alive and ready, and its metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from topgenre.web import schemas
from topgenre.web.problems import ProblemError, responses
from topgenre.web.state import StateDep

router = APIRouter(tags=["health"])
metrics_router = APIRouter(tags=["health"])


@router.get(
    "/healthz",
    operation_id="is_alive",
    response_model=schemas.Status,
    responses=responses(key=False),
)
async def is_alive() -> JSONResponse:
    """Report that the server is alive."""
    return JSONResponse({"status": "ok"})


@router.get(
    "/readyz",
    operation_id="is_ready",
    response_model=schemas.Status,
    responses=responses("busy", key=False),
)
async def is_ready(state: StateDep) -> JSONResponse:
    """Report whether the server is ready to work."""
    if not state.pool.ready:
        raise ProblemError("busy", "no worker process is up yet", 1)
    try:
        state.inbox.check()
    except OSError as error:
        raise ProblemError("busy", f"uploads cannot be stored ({error.strerror})", 1) from error
    return JSONResponse({"status": "ready"})


@metrics_router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={
        200: {"description": "Prometheus' text format", "content": {"text/plain": {}}},
        **responses(),
    },
)
async def metrics(state: StateDep) -> Response:
    """Return the counters for Prometheus."""
    return Response(state.metrics.text(), media_type="text/plain; version=0.0.4")
