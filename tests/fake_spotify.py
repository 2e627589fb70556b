"""A Spotify of our own on loopback, written from the public description of its Web API.

It speaks real HTTP, holds clients to the documented limits, and misbehaves as it is told.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

CLIENT_ID = "0123456789abcdef0123456789abcdef"
CLIENT_SECRET = "fedcba98-this-is-the-client-secret"
TOKEN = "BQtoken-that-nobody-may-see"
CREDENTIALS = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
SECRETS = (CLIENT_SECRET, TOKEN, CREDENTIALS)

PREMIUM = "Active premium subscription required for the owner of the app."


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answers, and how.

    Attributes
    ----------
    status : int
    body : object
        Bytes or a text as they are, anything else as JSON.
    headers : dict
    delay : float
        Seconds before the answer.
    drip : float
        Seconds between the bytes of the body.
    reset : bool
        Tear the connection down instead of answering.
    missing : int
        Bytes of the announced body that never come.
    """

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    reset: bool = False
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]


Responder = Callable[[Request], Reply]


class Service:
    """A web service with planned replies, which go before what it would answer otherwise.

    Attributes
    ----------
    requests : list of Request
        All that came, in order.
    planned : dict of str to deque of Reply or callable
        Replies for the next requests of a path.
    always : dict of str to Reply or callable
        Replies for all requests of a path.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.planned: dict[str, deque[Reply | Responder]] = {}
        self.always: dict[str, Reply | Responder] = {}
        self.url = ""

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError

    def plan(self, path: str, *replies: Reply | Responder) -> None:
        self.planned.setdefault(path, deque()).extend(replies)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        queue = self.planned.get(request.path)
        planned = queue.popleft() if queue else self.always.get(request.path)
        if planned is None:
            return self.answer(request)
        return planned if isinstance(planned, Reply) else planned(request)

    @contextmanager
    def running(self) -> Iterator[None]:
        handler = type("Handler", (_Handler,), {"service": self})
        server = _Server(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that go away, as they do when they have waited long enough."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    service: ClassVar[Service]
    protocol_version = "HTTP/1.1"
    # Or each answer, which is sent in two parts, waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        request = Request(self.command, parts.path, _single(parts.query),
                          {name.lower(): value for name, value in self.headers.items()},
                          _single(sent))  # fmt: skip
        reply = self.service.reply(request)
        time.sleep(reply.delay)
        try:
            if reply.reset:
                self._reset()
            else:
                self._send(reply)
        except OSError:
            self.close_connection = True  # by the client, who had waited long enough

    def _send(self, reply: Reply) -> None:
        body = reply.body
        kind = "text/plain; charset=utf-8"
        if not isinstance(body, str | bytes):
            body, kind = json.dumps(body), "application/json; charset=utf-8"
        data = body.encode() if isinstance(body, str) else body
        self.send_response(reply.status)
        headers = {"Content-Type": kind, "Content-Length": str(len(data) + reply.missing)}
        for name, value in (headers | reply.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if reply.drip:
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(reply.drip)
        else:
            self.wfile.write(data)
        self.close_connection = bool(reply.missing)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


def _single(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(query).items()}


class FakeSpotify(Service):
    """The token and the search address of Spotify.

    Attributes
    ----------
    genres : set of str
        Names that the field ``genre:`` knows.
    tracks, playlists : callable
        Give all results for a genre or keyword.
    """

    token_path = "/api/token"
    search_path = "/v1/search"

    def __init__(self) -> None:
        super().__init__()
        self.genres = {"rock", "jazz", "blues", "pop", "hip hop", "metal"}
        self.tracks: Callable[[str], list[Any]] = some_tracks
        self.playlists: Callable[[str], list[Any]] = some_playlists
        self._tokens: set[str] = set()
        self._lock = threading.Lock()

    @property
    def variables(self) -> dict[str, str]:
        """The settings with which a client finds this service and may ask it."""
        return {
            "TOPGENRE_SPOTIFY_CLIENT_ID": CLIENT_ID,
            "TOPGENRE_SPOTIFY_CLIENT_SECRET": CLIENT_SECRET,
            "TOPGENRE_SPOTIFY_API_URL": f"{self.url}/v1",
            "TOPGENRE_SPOTIFY_TOKEN_URL": f"{self.url}{self.token_path}",
        }

    def expire_tokens(self) -> None:
        with self._lock:
            self._tokens.clear()

    def answer(self, request: Request) -> Reply:
        if (request.method, request.path) == ("POST", self.token_path):
            return self._give_token(request)
        if (request.method, request.path) == ("GET", self.search_path):
            return self._search(request)
        return _problem(404, "Service not found")

    def _give_token(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Basic {CREDENTIALS}":
            return Reply(400, {"error": "invalid_client", "error_description": "Invalid client"})
        if request.form != {"grant_type": "client_credentials"}:
            return Reply(400, {"error": "unsupported_grant_type"})
        with self._lock:
            token = f"{TOKEN}{len(self.asked(self.token_path))}"
            self._tokens.add(token)
        return Reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def _search(self, request: Request) -> Reply:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._tokens:
            return _problem(401, "The access token expired")
        params = request.params
        limit, offset = int(params.get("limit", "5")), int(params.get("offset", "0"))
        if not 1 <= limit <= 10:
            return _problem(400, "Invalid limit")
        if not 0 <= offset <= 1000 - limit:
            return _problem(400, "Invalid offset")
        if not re.fullmatch("[A-Z]{2}", params.get("market", "US")):
            return _problem(400, "Invalid market code")
        kind, query = params.get("type", ""), params.get("q", "")
        if kind not in ("track", "playlist") or not query:
            return _problem(400, "No search query")
        found = self._found(kind, query)
        # Without a market, nothing counts as available.
        found = found if "market" in params else []
        end = offset + limit
        following = f"{self.url}{self.search_path}?offset={end}" if end < len(found) else None
        page = {
            "href": f"{self.url}{request.path}", "limit": limit, "offset": offset,
            "total": len(found), "previous": None, "next": following, "items": found[offset:end],
        }  # fmt: skip
        return Reply(200, {f"{kind}s": page})

    def _found(self, kind: str, query: str) -> list[Any]:
        filtered = re.fullmatch('genre:"(.*)"', query)
        if kind == "playlist":
            return self.playlists(query)
        if filtered:
            return self.tracks(filtered[1]) if filtered[1] in self.genres else []
        return self.tracks(query)


def _problem(status: int, message: str) -> Reply:
    return Reply(status, {"error": {"status": status, "message": message}})


def some_tracks(genre: str) -> list[Any]:
    """Return a hundred tracks; each artist has three in a row."""
    return [track(genre, number, f"{genre} artist {number // 3}") for number in range(100)]


def some_playlists(genre: str) -> list[Any]:
    """Return twenty playlists, of which every second one is null as Spotify has them."""
    return [None if number % 2 == 0 else playlist(genre, number) for number in range(20)]


def track(genre: str, number: int, *artists: str) -> dict[str, Any]:
    """Return a track as the search gives it."""
    name = _id(genre, number)
    sizes = (640, 300, 64)
    images = [{"url": f"https://i.scdn.co/image/{name}{s}", "width": s, "height": s} for s in sizes]
    return {
        "type": "track", "id": name, "name": f"{genre} song {number}", "is_playable": True,
        "uri": f"spotify:track:{name}", "duration_ms": 200_000, "explicit": False,
        "external_urls": {"spotify": f"https://open.spotify.com/track/{name}"},
        "artists": [{"id": _id(artist, 0), "name": artist} for artist in artists],
        "album": {"name": f"{genre} album", "images": images},
    }  # fmt: skip


def playlist(genre: str, number: int) -> dict[str, Any]:
    """Return a playlist as the search gives it."""
    name = _id(genre, number)
    return {
        "type": "playlist", "id": name, "name": f"{genre} list {number}", "description": "",
        "external_urls": {"spotify": f"https://open.spotify.com/playlist/{name}"},
        "images": [{"url": f"https://mosaic.scdn.co/640/{name}", "width": None, "height": None}],
        "owner": {"display_name": "somebody", "id": "somebody"}, "tracks": {"total": 50},
    }  # fmt: skip


def _id(words: str, number: int) -> str:
    return f"{re.sub('[^0-9A-Za-z]', '', words)}{number:0>4}".rjust(22, "0")[-22:]
