"""Build the application: middleware, routes, page, and the state of the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware

import topgenre
from topgenre import design
from topgenre.classifier import load
from topgenre.recommend import available
from topgenre.recommend.items import DEEZER, PREVIEW_HOST
from topgenre.web import problems
from topgenre.web.library import SharedLibrary
from topgenre.web.metrics import Metrics
from topgenre.web.middleware.account import AccountMiddleware
from topgenre.web.middleware.errors import ErrorsMiddleware
from topgenre.web.middleware.headers import HardeningMiddleware
from topgenre.web.middleware.hosts import HostsMiddleware
from topgenre.web.middleware.origins import OriginsMiddleware
from topgenre.web.middleware.rate_limit import RateLimitMiddleware
from topgenre.web.queue import Queue
from topgenre.web.routes import (
    API_KEY_HEADER,
    check_key,
    classify,
    corrections,
    health,
    info,
    page,
    recommendations,
    songs,
)
from topgenre.web.settings import Settings
from topgenre.web.state import State
from topgenre.web.uploads import Inbox
from topgenre.web.work import spec
from topgenre.workers.asyncio_pool import AsyncPool


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; its workers start and end with it.

    Parameters
    ----------
    settings : Settings, optional
        By default those of the environment.

    Raises
    ------
    ModelError
        If the model file cannot be used.
    """
    settings = settings or Settings()
    metrics = Metrics()
    model = load(settings.model, genres=settings.genres)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = AsyncPool(
            spec(settings.model, settings.genres, settings.memory_limit_bytes),
            settings.workers,
            settings.time_limit,
            lost=lambda why: metrics.lost.labels(why).inc(),
        )
        queue = Queue(pool, settings.queue_size)
        limit = settings.upload_limit
        room = None if limit is None else limit * (settings.workers + settings.queue_size)
        inbox = Inbox(limit, settings.stall_limit, room)
        metrics.inside.set_function(lambda: queue.taken)
        metrics.receiving.set_function(lambda: inbox.receiving)
        library = None
        if settings.catalog:
            library = SharedLibrary(settings.catalog, settings.model, settings.library_play)
        app.state.topgenre = State(
            settings, metrics, inbox, queue, pool, model.genres, model.name, library
        )
        try:
            await pool.open()
            yield
        finally:
            await pool.close()

    app = FastAPI(
        title="topgenre",
        summary="The genres of a piece of music, ranked by calibrated confidence.",
        version=topgenre.__version__,
        lifespan=lifespan,
        # FastAPI's interactive pages load scripts from other hosts, and redirects that fix a slash
        # would name whatever host the client sends.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.handle_in(app)
    # Without a key, OpenAPI must not ask for one either.
    guards = [Depends(check_key)] if settings.api_key else []
    for router in (classify.router, corrections.router, info.router, recommendations.router):
        app.include_router(router, prefix="/v1", tags=["v1"], dependencies=guards)
    for router in (info.open_router, songs.router):
        app.include_router(router, prefix="/v1", tags=["v1"])
    app.include_router(health.router)
    app.include_router(health.metrics_router, dependencies=guards)
    app.include_router(page.router)
    app.mount("/static/design", StaticFiles(directory=design.FOLDER), name="design")
    app.mount("/static", StaticFiles(directory=page.STATIC), name="static")
    _wrap(app, settings, metrics)
    _document(app)
    return app


def _wrap(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Add the middleware, from the inside out."""
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=[API_KEY_HEADER],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    if settings.rate_limit:
        app.add_middleware(RateLimitMiddleware, per_minute=settings.rate_limit)
    app.add_middleware(OriginsMiddleware, allowed=settings.allowed_origins)
    if settings.hosts:
        app.add_middleware(HostsMiddleware, hosts=settings.hosts)
    app.add_middleware(ErrorsMiddleware)
    previews = any(provider.name == DEEZER.name for provider in available())
    app.add_middleware(HardeningMiddleware, media=PREVIEW_HOST if previews else "")
    app.add_middleware(AccountMiddleware, metrics=metrics)


def _document(app: FastAPI) -> None:
    """Add the body of problems to OpenAPI, which FastAPI does not know."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = generate()
        schemas = document["components"]["schemas"]
        schemas["ProblemDetails"] = problems.ProblemDetails.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for path in document["paths"].values():
            for operation in path.values():
                if not _is_ours(operation):
                    operation["responses"].pop("422", None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _is_ours(operation: dict[str, Any]) -> bool:
    """Return whether the 422 of an operation is ours, not the one that FastAPI adds."""
    return problems.MEDIA_TYPE in operation["responses"].get("422", {}).get("content", {})
