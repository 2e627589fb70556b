"""Add security headers to every answer."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ARTWORK = "https://i.scdn.co https://*.spotifycdn.com https://mosaic.scdn.co https://*.dzcdn.net"


def policy(media: str = "") -> str:
    """Return the Content-Security-Policy of the page."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"img-src 'self' blob: data: {_ARTWORK}; media-src 'self' blob: {media}; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )


HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}


class HardeningMiddleware:
    """Add `HEADERS` to every answer, and keep answers out of caches.

    Parameters
    ----------
    app : ASGI application
    media : str, optional
        Host whose sound the page may play, beside the server.
    """

    def __init__(self, app: ASGIApp, media: str = "") -> None:
        self.app = app
        self._headers = HEADERS | {"Content-Security-Policy": policy(media)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, and add headers to its answer."""

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers.update(self._headers)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_hardened if scope["type"] == "http" else send)
