"""Limit connections: their number, their silence, and the size of request heads.

These limits apply before the application, and so before authentication.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import socket
import sys
from collections import defaultdict
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from topgenre.web.middleware.headers import HEADERS
from topgenre.web.problems import MEDIA_TYPE, ProblemError, body

BACKLOG = 128  # connections waiting to be accepted; asyncio may accept all at once
_LONGEST_HEAD = 64 * 1024  # bytes of request line, headers and trailers
_LONGEST_PIPELINE = 16  # requests waiting for an earlier answer
_RESERVED = 64  # descriptors for everything but connections, uploads and workers
_UNREAD_SECONDS = 60  # s for a client to read an answer; Linux only
_LINGER_SECONDS, _LINGER_BYTES = 2.0, 16 << 20  # that a refused client may still send
_NO_LIMIT = 10_000  # connections, if the system has no limit

_numbers = itertools.count()


def most_connections(n_workers: int) -> int:
    """Return how many connections with uploads the limit of open files allows."""
    if sys.platform == "win32":
        return _NO_LIMIT
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _NO_LIMIT
    return max(1, min(_NO_LIMIT, (soft - BACKLOG - _RESERVED - 2 * n_workers) // 2))


class Connection(HttpToolsProtocol):
    """One connection with a client.

    Parameters
    ----------
    most : int
        Most connections. Another one replaces the one that has been idle longest. If all are busy,
        it replaces one of the client that holds more than half of them, or is refused.
    fair : bool
        Whether addresses tell clients apart, as they do without reverse proxies.
    head_limit : float
        Seconds for the head of a request to arrive, after the start of the connection or the last
        answer.
    """

    def __init__(
        self, *arguments: Any, most: int, fair: bool, head_limit: float, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._most, self._fair, self._head_limit = most, fair, head_limit
        self._number = next(_numbers)
        self._timer: asyncio.TimerHandle | None = None
        self._answering: Any = None  # the request being answered
        self._head = 0  # parsed bytes of the request's head and trailers
        self._unparsed = 0  # bytes since the last part of a body or the end of a message
        self._refused = 0  # bytes received after the refusal
        self._problem: ProblemError | None = None

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Register the connection, or refuse it."""
        super().connection_made(transport)
        if sys.platform == "linux":
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _UNREAD_SECONDS)
        self._wait_for_head()
        others = [c for c in self.connections if isinstance(c, Connection) and c is not self]
        if len(others) < self._most:
            return
        idle = [c for c in others if c.idle and not c.transport.is_closing()]
        if idle:
            min(idle, key=lambda c: c._number).transport.abort()
        elif greedy := self._greedy(others):
            max(greedy, key=lambda c: c._number).transport.abort()  # the least of its work is lost
        else:
            self._refuse(ProblemError("busy", "too many connections; try again", 1))

    def _greedy(self, others: list[Connection]) -> list[Connection]:
        """Return the connections of another client that holds more than half of all."""
        if not self._fair:
            return []
        of_client: dict[str, list[Connection]] = defaultdict(list)
        for other in others:
            of_client[other._host].append(other)
        host, most = max(of_client.items(), key=lambda entry: len(entry[1]))
        return most if host != self._host and len(most) > self._most // 2 else []

    @property
    def _host(self) -> str:
        return self.client[0] if self.client else ""

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data, unless the connection was refused; limit heads without an end."""
        if self._problem:
            self._refused += len(data)
            if self._refused > _LINGER_BYTES:
                self.transport.abort()
            return
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > _LONGEST_HEAD and not self._problem:
            self._refuse(_too_long())

    def on_message_begin(self) -> None:
        """Count the bytes of a new head."""
        self._head = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the bytes of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the bytes of a header, or of a trailer after a chunked body."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the time limit of the head."""
        self._unparsed = 0
        if len(self.pipeline) >= _LONGEST_PIPELINE:
            self._problem = ProblemError("invalid_request", "too many pipelined requests")
            raise ValueError(self._problem.detail)
        self._stop_timer()
        super().on_headers_complete()
        if not self.pipeline:
            self._answering = self.cycle

    def on_body(self, body: bytes) -> None:
        """Reset the count of unparsed bytes."""
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Reset the count for the next head."""
        self._unparsed = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the time limit of the next head."""
        waiting = bool(self.pipeline)
        self._answering = self.pipeline[-1][0] if waiting else None  # the next to be answered
        super().on_response_complete()
        if not waiting and not self.transport.is_closing():
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are not a request."""
        self._refuse(self._problem or ProblemError("invalid_request", msg))

    def _count(self, n_bytes: int) -> None:
        self._head += n_bytes
        if self._head > _LONGEST_HEAD:
            self._problem = _too_long()
            raise ValueError(self._problem.detail)  # the parser turns it into its own error

    def _wait_for_head(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self._head_limit, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _refuse(self, problem: ProblemError) -> None:
        """Send the problem, and give the client time to read it before closing."""
        self._problem = problem
        self._stop_timer()
        if self.transport.is_closing():
            return
        self.pipeline.clear()
        # Of several pipelined requests, `cycle` is the last, not the one being answered.
        if self._answering and not self._answering.response_complete:
            if self._answering.response_started:
                self.transport.abort()  # it would end up inside another answer
                return
            self._answering.disconnected = True
            self._answering.message_event.set()
        request_id = secrets.token_hex(8)
        content = json.dumps(body(problem, request_id)).encode()
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(content)),
            "connection": "close",
            "x-request-id": request_id,
            **({"retry-after": str(problem.retry_after)} if problem.retry_after else {}),
            **HEADERS,
        }
        lines = [f"{name}: {value}\r\n".encode("ascii") for name, value in headers.items()]
        self.transport.write(b"".join([STATUS_LINE[problem.status], *lines, b"\r\n", content]))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_SECONDS, self.transport.abort)


def _too_long() -> ProblemError:
    kilobytes = _LONGEST_HEAD // 1024
    return ProblemError(
        "head_too_large", f"the headers are longer than {kilobytes} kB; send shorter ones"
    )
