"""Wrap every request, from the outside in.

`account` identifies, logs and counts it; `headers` hardens its answer; `errors` answers unexpected
exceptions; `hosts`, `origins` and `rate_limit` may refuse it.
"""

from __future__ import annotations

from starlette.types import Scope

OPEN_PATHS = frozenset({"/", "/favicon.ico", "/docs", "/healthz", "/readyz", "/v1/info"})
"""Paths without key and rate limit, beside those below ``/static/``."""


def is_open(scope: Scope) -> bool:
    """Return whether a request needs no key and is not rate limited."""
    path: str = scope["path"]
    return path in OPEN_PATHS or path.startswith("/static/") or scope["method"] == "OPTIONS"
