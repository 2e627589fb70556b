"""Hold the state that the routes of one server share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from topgenre.web.library import SharedLibrary
from topgenre.web.metrics import Metrics
from topgenre.web.queue import Queue
from topgenre.web.settings import Settings
from topgenre.web.uploads import Inbox
from topgenre.workers.asyncio_pool import AsyncPool


@dataclass(frozen=True, slots=True)
class State:
    """State that lives as long as the server.

    Attributes
    ----------
    settings : Settings
    metrics : Metrics
    inbox : Inbox
        Receives uploads.
    queue : Queue
        Places for complete uploads.
    pool : AsyncPool
        Workers.
    genres : tuple of str
    model : str
    library : SharedLibrary or None
        The catalogue, if configured.
    """

    settings: Settings
    metrics: Metrics
    inbox: Inbox
    queue: Queue
    pool: AsyncPool
    genres: tuple[str, ...]
    model: str
    library: SharedLibrary | None


def _state(request: Request) -> State:
    state = request.app.state.topgenre
    assert isinstance(state, State)
    return state


StateDep = Annotated[State, Depends(_state)]
