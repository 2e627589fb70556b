"""Answer errors with RFC 9457 problem details of stable types."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:topgenre:problem:"

TITLES = {
    "invalid_request": (400, "The request is not one that this server understands"),
    "unauthorized": (401, "An API key is needed"),
    "forbidden_origin": (403, "Scripts of that web site may not use this server"),
    "not_found": (404, "There is nothing here"),
    "method_not_allowed": (405, "This address does not take that method"),
    "upload_timeout": (408, "The upload stalled"),
    "too_large": (413, "The file is too large"),
    "unsupported_media_type": (415, "This is not a sound file"),
    "no_audio_stream": (422, "There is no sound in this file"),
    "damaged_audio": (422, "The sound is damaged"),
    "too_short": (422, "The sound is too short"),
    "silent": (422, "The sound is silent"),
    "overrun": (422, "The file takes too much time or memory"),
    "crashed": (422, "The file could not be decoded safely"),
    "rate_limited": (429, "Too many requests"),
    "head_too_large": (431, "The headers are too long"),
    "internal": (500, "The server made a mistake"),
    "busy": (503, "The server is busy"),
    "storage": (507, "The server has no room for uploads"),
}
"""Status and title of every problem type."""


class ProblemError(Exception):
    """An error with its own answer.

    Parameters
    ----------
    code : str
        One of `TITLES`.
    detail : str
        One line that says what is wrong and what to do.
    retry_after : int, optional
        Seconds after which the same request may succeed.
    """

    def __init__(self, code: str, detail: str, retry_after: int | None = None) -> None:
        super().__init__(code, detail, retry_after)
        self.code, self.detail, self.retry_after = code, detail, retry_after
        self.status, self.title = TITLES[code]


def internal() -> ProblemError:
    """Return the problem for a bug in the server."""
    return ProblemError("internal", "a bug in the server; please report it with the request id")


class ProblemDetails(BaseModel):
    """Problem details as defined by RFC 9457."""

    type: str = Field(examples=["urn:topgenre:problem:too_large"])
    title: str = Field(examples=["The file is too large"])
    status: int = Field(examples=[413])
    detail: str = Field(examples=["song.wav: larger than the 100 MB that this server accepts"])
    request_id: str = Field(examples=["5f0c7e1b9d2a4c38"])
    retry_after: int | None = Field(None, description="Seconds to wait; with 429 and 503 only.")


def body(problem: ProblemError, request_id: str) -> dict[str, Any]:
    """Return a problem as the documented JSON object."""
    found: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.code,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    return found if problem.retry_after is None else found | {"retry_after": problem.retry_after}


def answer(problem: ProblemError, scope: Scope) -> JSONResponse:
    """Return the response of a problem."""
    headers = {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.code == "unauthorized":
        headers["WWW-Authenticate"] = "ApiKey"
    content = body(problem, scope.get("state", {}).get("request_id", ""))
    return JSONResponse(content, problem.status, headers, MEDIA_TYPE)


def responses(*codes: str, key: bool = True) -> dict[int | str, dict[str, Any]]:
    """Document problem types of a route for OpenAPI.

    Parameters
    ----------
    *codes : str
        Problem types, beside those of every route.
    key : bool
        Whether the route may need a key, and is rate limited.
    """
    documented: dict[int | str, dict[str, Any]] = {}
    always = ("unauthorized", "rate_limited") if key else ()
    for code in (*codes, *always, "invalid_request", "forbidden_origin", "internal"):
        if TITLES[code][1] in documented.get(TITLES[code][0], {}).get("description", ""):
            continue
        status, title = TITLES[code]
        entry = documented.setdefault(
            status,
            {
                "description": "",
                "content": {
                    MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
                },
            },
        )
        joint = "; " if entry["description"] else ""
        entry["description"] += f"{joint}{title} (`{TYPE_PREFIX}{code}`)"
        if code in ("rate_limited", "busy"):
            entry["headers"] = {
                "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}
            }
    return documented


def handle_in(app: FastAPI) -> None:
    """Answer every error of an application with problem details."""

    async def problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ProblemError)
        return answer(error, request.scope)

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = {404: "not_found", 405: "method_not_allowed"}.get(
            error.status_code, "invalid_request"
        )
        response = answer(ProblemError(code, str(error.detail)), request.scope)
        response.headers.update(error.headers or {})
        return response

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = " ".join(map(str, first["loc"]))
        return answer(ProblemError("invalid_request", f"{where}: {first['msg']}"), request.scope)

    app.add_exception_handler(ProblemError, problem)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
