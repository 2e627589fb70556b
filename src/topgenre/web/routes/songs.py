"""Play songs of the server's catalogue, if its owner allows that."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import FileResponse

from topgenre.library.find import SUFFIXES
from topgenre.web.problems import ProblemError, responses
from topgenre.web.state import StateDep

router = APIRouter()


@router.get(
    "/library/{song}/audio",
    operation_id="play",
    response_class=FileResponse,
    responses={
        200: {"description": "The file", "content": {"audio/*": {}}},
        206: {"description": "A part of the file", "content": {"audio/*": {}}},
        **responses("not_found", key=False),
    },
)
async def play(
    state: StateDep,
    song: Annotated[str, InPath(pattern="^[0-9a-f]{32}$", description="From `/v1/similar`.")],
) -> FileResponse:
    """Send a song of the catalogue.

    Needs no API key, so that a player can load it, but an id that only clients with the key get.
    """
    path = state.library.path(song) if state.library else None
    if path is None or Path(path).suffix.lower() not in SUFFIXES or not Path(path).is_file():
        raise ProblemError("not_found", "no such song may be played; ask for similar songs again")
    kind = mimetypes.guess_type(path)[0] or ""
    if not kind.startswith(("audio/", "video/")):
        kind = "application/octet-stream"
    return FileResponse(path, media_type=kind)
