"""Limit the rate of requests per client."""

from __future__ import annotations

import math
import time
from collections import OrderedDict

from starlette.types import ASGIApp, Receive, Scope, Send

from topgenre.web.middleware import is_open
from topgenre.web.problems import ProblemError, answer

_MOST_CLIENTS = 10_000  # clients whose rates are remembered
_SAVED_SECONDS = 10  # s of requests that a client may save up


class RateLimitMiddleware:
    """Refuse requests of a client above a rate, with a token bucket per client.

    This comes before the check of the API key, so that keys cannot be guessed at full speed.

    Parameters
    ----------
    app : ASGI application
    per_minute : int
    """

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self.app, self.per_minute = app, per_minute
        self.rate = per_minute / 60
        self.most = max(1.0, self.rate * _SAVED_SECONDS)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or refuse it."""
        if scope["type"] == "http" and not is_open(scope):
            seconds = self.wait(scope["client"][0] if scope.get("client") else "")
            if seconds:
                said = f"more than {self.per_minute} requests per minute; slow down"
                problem = ProblemError("rate_limited", said, math.ceil(seconds))
                await answer(problem, scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def wait(self, client: str) -> float:
        """Take a token; return 0, or the seconds until the next one."""
        now = time.monotonic()
        tokens, then = self._buckets.pop(client, (self.most, now))
        tokens = min(self.most, tokens + (now - then) * self.rate)
        missing = max(0.0, 1 - tokens)
        self._buckets[client] = (tokens if missing else tokens - 1, now)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return missing / self.rate
