"""Describe the server: its version, model and features."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

import topgenre
from topgenre.library.find import SUFFIXES
from topgenre.web import schemas
from topgenre.web.problems import responses
from topgenre.web.routes.recommendations import LIBRARY
from topgenre.web.state import StateDep

router = APIRouter()
open_router = APIRouter()


@router.get(
    "/genres", operation_id="list_genres", response_model=schemas.Genres, responses=responses()
)
async def genres(state: StateDep) -> JSONResponse:
    """List the genres that the model knows."""
    return JSONResponse({"model": state.model, "genres": state.genres})


@open_router.get(
    "/info", operation_id="info", response_model=schemas.Info, responses=responses(key=False)
)
async def info(state: StateDep) -> JSONResponse:
    """Describe this server to clients; needs no API key."""
    from topgenre.recommend import available

    providers = await run_in_threadpool(available)
    shared = state.library is not None
    return JSONResponse(
        {
            "version": topgenre.__version__,
            "model": state.model,
            "genres": state.genres,
            "max_upload_bytes": state.settings.upload_limit,
            "suffixes": sorted(SUFFIXES),
            "recommendation_providers": [
                p.to_dict() for p in providers if shared or p.name != LIBRARY
            ],
            "library": shared,
            "corrections": state.settings.corrections,
            "needs_api_key": state.settings.api_key is not None,
        }
    )
