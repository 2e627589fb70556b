"""Recommend music."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from topgenre.web import schemas
from topgenre.web.problems import ProblemError, responses
from topgenre.web.state import StateDep

_MOST_WEIGHTS = 20  # genres in one request
LIBRARY = "library"

router = APIRouter()


@router.get(
    "/recommendations",
    operation_id="recommend",
    response_model=schemas.Recommendations,
    responses=responses("invalid_request"),
)
async def recommendations(
    state: StateDep,
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
        list[str] | None, Query(max_length=10, description="Providers; by default the best one.")
    ] = None,
    artist: Annotated[
        str | None, Query(max_length=300, description="The song's artist, for music like it.")
    ] = None,
    title: Annotated[str | None, Query(max_length=300, description="The song's title.")] = None,
    playlists: Annotated[
        bool, Query(description="Prefer playlists to single tracks, and list them first.")
    ] = False,
) -> JSONResponse:
    """Find music like a song or for a mixture of genres, in a section per provider."""
    from topgenre.recommend import recommend
    from topgenre.recommend.items import parse_weight

    names = list(dict.fromkeys(provider)) if provider else None
    library = state.library
    if names and LIBRARY in names and library is None:
        raise ProblemError(
            "invalid_request", "this server has no catalogue; choose another provider"
        )
    try:
        weights = [parse_weight(text) for text in genre]
        others = None if names is None else [name for name in names if name != LIBRARY]
        found = {}
        if others is None or others:
            sections = await run_in_threadpool(
                recommend,
                weights,
                limit=limit,
                providers=others,
                artist=artist,
                title=title,
                playlists_first=playlists,
            )
            found = {section.provider: section.to_dict() for section in sections}
        if names and LIBRARY in names and library is not None:
            found[LIBRARY] = await run_in_threadpool(library.recommended, weights, limit)
    except ValueError as error:
        raise ProblemError("invalid_request", str(error)) from error
    return JSONResponse({"sections": [found[name] for name in names or found]})
