"""The application: routes, page, guard, and what lives as long as the server does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware

import topgenre
from topgenre import design
from topgenre.classifier import load
from topgenre.web import problems, routes
from topgenre.web.guard import API_KEY_HEADER, Guard
from topgenre.web.metrics import Metrics
from topgenre.web.queue import Queue
from topgenre.web.settings import Settings
from topgenre.web.work import spec
from topgenre.workers.asyncio_pool import AsyncPool

STATIC = Path(__file__).with_name("static")


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
    info = load(settings.model).info

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = AsyncPool(
            spec(settings.model, settings.memory_limit_bytes),
            settings.workers,
            settings.time_limit,
            lost=lambda why: metrics.lost.labels(why).inc(),
        )
        queue = Queue(pool, settings.queue_size)
        metrics.inside.set_function(lambda: queue.taken)
        app.state.topgenre = routes.State(settings, metrics, pool, queue, info.genres, info.name)
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
        # The interactive pages of FastAPI load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
    )
    problems.handle_in(app)
    app.include_router(routes.v1)
    app.include_router(routes.health)

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    app.mount("/static/design", StaticFiles(directory=design.FOLDER), name="design")
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=[API_KEY_HEADER],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    _document(app)
    return app


def _document(app: FastAPI) -> None:
    """Add what FastAPI cannot know: the body of problems, and the API key."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = generate()
        schemas = document["components"]["schemas"]
        schemas["ProblemDetails"] = problems.ProblemDetails.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        document["components"]["securitySchemes"] = {
            "key": {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}
        }
        document["security"] = [{}, {"key": []}]
        for path in document["paths"].values():
            for operation in path.values():
                if not _is_ours(operation):
                    operation["responses"].pop("422", None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _is_ours(operation: dict[str, Any]) -> bool:
    """Tell our own 422 from the one that FastAPI adds by itself."""
    return problems.MEDIA_TYPE in operation["responses"].get("422", {}).get("content", {})
