"""Refuse scripts of web sites that the server does not allow."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from topgenre.web.problems import ProblemError, answer


class OriginsMiddleware:
    """Refuse requests from scripts of web sites that are not allowed.

    Parameters
    ----------
    app : ASGI application
    allowed : collection of str
        Origins as browsers send them, such as ``https://music.example``.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self.app, self.allowed = app, allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or refuse it."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            origin, host = headers.get("origin"), headers.get("host", "").lower()
            own = (f"http://{host}", f"https://{host}")
            if origin and origin not in own and origin not in self.allowed:
                said = "that web site is not among the server's allowed_origins"
                await answer(ProblemError("forbidden_origin", said), scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)
