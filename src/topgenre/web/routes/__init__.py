"""Define the routes of the server, by subject."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Security
from fastapi.security import APIKeyHeader

from topgenre.web.problems import ProblemError
from topgenre.web.state import StateDep

API_KEY_HEADER = "X-API-Key"

_scheme = APIKeyHeader(
    name=API_KEY_HEADER,
    scheme_name="key",
    description="Needed only if the server has one.",
    auto_error=False,
)


def check_key(state: StateDep, given: Annotated[str | None, Security(_scheme)]) -> None:
    """Refuse a request without the server's key, if there is one."""
    key = state.settings.api_key
    wanted = key.get_secret_value() if key else ""
    if wanted and not hmac.compare_digest((given or "").encode(), wanted.encode()):
        raise ProblemError("unauthorized", f"send the server's key in the header {API_KEY_HEADER}")
