"""What every request passes on both sides of its route, from the outside in.

`account` names, logs and counts it; `headers` harden its answer; `errors` answers what nobody
expected; `hosts`, `origins` and `rate_limit` may refuse it.
"""

from __future__ import annotations

from starlette.types import Scope

OPEN_PATHS = frozenset({"/", "/favicon.ico", "/docs", "/healthz", "/readyz", "/v1/info"})
"""Addresses that need no key and count towards no rate, beside those below ``/static/``."""


def is_open(scope: Scope) -> bool:
    """Return whether a request needs no key and counts towards no rate."""
    path: str = scope["path"]
    return path in OPEN_PATHS or path.startswith("/static/") or scope["method"] == "OPTIONS"
