"""What every request meets on both sides of its route: identity, limits, headers, a log line."""

from __future__ import annotations

import hmac
import logging
import math
import secrets
import time
from collections import OrderedDict
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from topgenre.web.metrics import Metrics
from topgenre.web.problems import ProblemError, answer
from topgenre.web.settings import Settings

log = logging.getLogger("topgenre.server")
access_log = logging.getLogger("topgenre.access")

API_KEY_HEADER = "X-API-Key"
_ARTWORK = "https://i.scdn.co https://*.spotifycdn.com https://mosaic.scdn.co https://*.dzcdn.net"
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    f"img-src 'self' blob: data: {_ARTWORK}; media-src blob:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
_OPEN_PATHS = {"/", "/favicon.ico", "/healthz", "/readyz", "/v1/info"}
_MOST_CLIENTS = 10_000  # whose rates are remembered


class RateLimiter:
    """A token bucket for each client.

    Parameters
    ----------
    per_minute : int
        Tokens a minute; a client may save up those of ten seconds.
    """

    def __init__(self, per_minute: int) -> None:
        self.rate = per_minute / 60
        self.most = max(1.0, self.rate * 10)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Take a token; return 0, or the seconds until there will be one."""
        now = time.monotonic()
        tokens, then = self._buckets.pop(client, (self.most, now))
        tokens = min(self.most, tokens + (now - then) * self.rate)
        missing = max(0.0, 1 - tokens)
        self._buckets[client] = (tokens if missing else tokens - 1, now)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return missing / self.rate


class Guard:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app : ASGI application
    settings : Settings
    metrics : Metrics
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self.limiter = RateLimiter(settings.rate_limit) if settings.rate_limit else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin = time.monotonic()
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        headers = Headers(scope=scope)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(raw=message["headers"]), scope)
            await send(message)

        try:
            refusal = self._refusal(scope, headers)
            if refusal:
                await answer(refusal, scope)(scope, receive, send_with_headers)
            else:
                await self.app(scope, receive, send_with_headers)
        except Exception as error:
            log.exception("unexpected %s", type(error).__name__, extra=_fields(scope))
            if status:
                raise
            said = "a fault of the server; please report it with the request id"
            await answer(ProblemError("internal", said), scope)(scope, receive, send_with_headers)
        finally:
            self._account(scope, status, time.monotonic() - begin)

    def _refusal(self, scope: Scope, headers: Headers) -> ProblemError | None:
        path = scope["path"]
        hosts = self.settings.hosts
        host = headers.get("host", "")
        if hosts and _without_port(host) not in hosts:
            said = "the server does not go by that name; allowed_hosts says which names it has"
            return ProblemError("invalid_request", said)
        origin = headers.get("origin")
        own = origin and urlsplit(origin).netloc == host
        if origin and not own and origin not in self.settings.allowed_origins:
            said = "that web site is not among the server's allowed_origins"
            return ProblemError("forbidden_origin", said)
        preflight = scope["method"] == "OPTIONS"
        if path in _OPEN_PATHS or path.startswith("/static/") or preflight:
            return None
        # Before the key is looked at, so that nobody can guess it at full speed.
        if self.limiter:
            client = scope["client"][0] if scope.get("client") else ""
            seconds = self.limiter.wait(client)
            if seconds:
                said = f"more than {self.settings.rate_limit} requests a minute; slow down"
                return ProblemError("rate_limited", said, math.ceil(seconds))
        key = self.settings.api_key
        given = headers.get(API_KEY_HEADER, "")
        if key and not hmac.compare_digest(given.encode(), key.get_secret_value().encode()):
            return ProblemError(
                "unauthorized", f"send the server's key in the header {API_KEY_HEADER}"
            )
        return None

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern, not the path: a scanner must not fill the metrics with names.
        route = getattr(scope.get("route"), "path", "other")
        self.metrics.requests.labels(route, _method(scope), str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        access_log.info(
            "request",
            extra=_fields(
                scope,
                client=scope["client"][0] if scope.get("client") else None,
                method=_method(scope),
                route=route,
                status=status,
                ms=round(1000 * seconds, 1),
            ),
        )


def _add_headers(out: MutableHeaders, scope: Scope) -> None:
    out["X-Request-ID"] = scope["state"]["request_id"]
    for name, value in _HEADERS.items():
        out[name] = value
    if not scope["path"].startswith("/static/"):
        out.setdefault("Cache-Control", "no-store")


def _fields(scope: Scope, **fields: object) -> dict[str, Any]:
    return {"fields": {"request_id": scope["state"]["request_id"], **fields}}


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdecimal() else host


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "OTHER"
