"""What the routes of one server share."""

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
    """Everything that lives as long as the server.

    Attributes
    ----------
    settings : Settings
    metrics : Metrics
    inbox : Inbox
        Takes uploads in.
    queue : Queue
        Places for uploads that are complete.
    pool : AsyncPool
        Does the work.
    genres : tuple of str
    model : str
    library : SharedLibrary or None
        The catalogue, where one was configured.
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
