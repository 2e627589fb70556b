"""Each middleware alone, around an application of three lines."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from topgenre.web.metrics import Metrics
from topgenre.web.middleware.account import AccountMiddleware
from topgenre.web.middleware.errors import ErrorsMiddleware
from topgenre.web.middleware.headers import HEADERS, HardeningMiddleware
from topgenre.web.middleware.hosts import HostsMiddleware
from topgenre.web.middleware.origins import OriginsMiddleware
from topgenre.web.middleware.rate_limit import RateLimitMiddleware

MIDDLEWARE: list[Callable[[ASGIApp], ASGIApp]] = [
    lambda app: AccountMiddleware(app, Metrics()),
    ErrorsMiddleware,
    HardeningMiddleware,
    lambda app: HostsMiddleware(app, ("music.example",)),
    lambda app: OriginsMiddleware(app, ()),
    lambda app: RateLimitMiddleware(app, 60),
]


async def works(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"works"})
    else:
        scope["seen"] = True


def raising(error: BaseException) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


async def get(app: ASGIApp, path: str = "/v1/genres", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://music.example") as client:
        return await client.get(path, headers=headers)


def run(coroutine: Any) -> Any:
    import asyncio

    return asyncio.run(coroutine)


@pytest.mark.parametrize("middleware", MIDDLEWARE)
def test_what_is_not_a_request_passes(middleware: Callable[[ASGIApp], ASGIApp]) -> None:
    scope: dict[str, Any] = {"type": "lifespan"}
    run(middleware(works)(scope, None, None))  # type: ignore[arg-type]
    assert scope["seen"]


@pytest.mark.parametrize("middleware", MIDDLEWARE)
def test_a_usual_request_passes(middleware: Callable[[ASGIApp], ASGIApp]) -> None:
    assert run(get(middleware(works))).text == "works"


@pytest.mark.parametrize(
    "host", ["music.example", "music.example:8000", "MUSIC.example", "[::1]:80"]
)
def test_hosts_that_are_the_servers_own(host: str) -> None:
    app = HostsMiddleware(works, ("music.example", "[::1]"))
    assert run(get(app, Host=host)).status_code == 200


@pytest.mark.parametrize(
    "host", ["", "evil.example", "music.example.evil", "music.example:x", "::1"]
)
def test_hosts_that_are_not(host: str) -> None:
    app = HostsMiddleware(works, ("music.example", "[::1]"))
    assert run(get(app, Host=host)).status_code == 400


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://music.example", 200), ("https://music.example", 200), ("https://ok.example", 200),
        ("https://evil.example", 403), ("null", 403), ("http://[", 403), ("*", 403),
        ("http://music.example.evil", 403), ("http://music.example:81", 403),
    ],
)  # fmt: skip
def test_origins(origin: str, status: int) -> None:
    app = OriginsMiddleware(works, ("https://ok.example",))
    assert run(get(app, Origin=origin)).status_code == status


def test_rates_are_those_of_a_client_and_spare_what_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    monkeypatch.setattr("topgenre.web.middleware.rate_limit.time", clock)

    async def ask() -> list[int]:
        app = RateLimitMiddleware(works, 60)
        return [(await get(app)).status_code for _ in range(12)] + [
            (await get(app, path)).status_code for path in ("/", "/static/x", "/healthz")
        ]

    found = run(ask())
    assert found[:10] == [200] * 10
    assert found[10:] == [429, 429, 200, 200, 200]
    limiter = RateLimitMiddleware(works, 60)
    assert [limiter.wait(str(client)) for client in range(50)] == [0] * 50


def test_answers_are_hardened_refusals_too() -> None:
    for app in (works, HostsMiddleware(works, ("other",))):
        headers = run(get(HardeningMiddleware(app))).headers
        assert headers["cache-control"] == "no-store"
        for name in HEADERS:
            assert name in headers
    policy = run(get(HardeningMiddleware(works, "https://*.preview.example"))).headers
    assert "media-src 'self' blob: https://*.preview.example;" in policy["content-security-policy"]


def test_faults_are_answered_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = run(
            get(AccountMiddleware(ErrorsMiddleware(raising(ZeroDivisionError("x"))), Metrics()))
        )
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text
    [record] = caplog.records
    assert record.fields["request_id"] == answer.headers["x-request-id"]  # type: ignore[attr-defined]


def test_a_client_that_has_gone_is_not_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert run(get(ErrorsMiddleware(raising(ClientDisconnect())))).status_code == 400
    assert not caplog.records


def test_requests_are_counted_by_route_and_not_by_name() -> None:
    metrics = Metrics()
    run(get(AccountMiddleware(works, metrics), "/secret"))
    text = metrics.text().decode()
    assert 'topgenre_requests_total{method="GET",route="other",status="200"} 1.0' in text
    assert "secret" not in text
