"""Refuse foreign host names, which protects against DNS rebinding."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from topgenre.web.problems import ProblemError, answer


class HostsMiddleware:
    """Refuse requests whose header ``Host`` names another server.

    Parameters
    ----------
    app : ASGI application
    hosts : collection of str
        Names without ports, in lower case; IPv6 addresses in brackets.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or refuse it."""
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "")
            if _without_port(host).lower() not in self.hosts:
                said = "unknown host name; add it to the server's allowed_hosts"
                await answer(ProblemError("invalid_request", said), scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdecimal() else host
