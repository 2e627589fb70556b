"""Answer unexpected exceptions; their traceback goes only to the log."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from topgenre.web.problems import ProblemError, answer, internal

log = logging.getLogger("topgenre.server")


class ErrorsMiddleware:
    """Answer unhandled exceptions; a client that disconnects is not an error.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, and answer its unhandled exception."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        except ClientDisconnect:
            gone = ProblemError("invalid_request", "the client closed the connection")
            await answer(gone, scope)(scope, receive, send)
        except Exception as error:
            fields = {"request_id": scope.get("state", {}).get("request_id")}
            log.exception("unexpected %s", type(error).__name__, extra={"fields": fields})
            if started:
                raise
            await answer(internal(), scope)(scope, receive, send)
