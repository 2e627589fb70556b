"""Run the application with uvicorn: sockets, logs, graceful shutdown."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable
from functools import partial

import uvicorn

from topgenre.errors import TopgenreError
from topgenre.web.app import create_app
from topgenre.web.connection import BACKLOG, Connection
from topgenre.web.logs import log_to_stderr
from topgenre.web.settings import Settings

log = logging.getLogger("topgenre.server")

_GRACE = 10  # s for requests in progress at shutdown


def run(settings: Settings, ready: Callable[[str], object] = lambda url: None) -> None:
    """Serve until SIGINT or SIGTERM; print the address once the server answers.

    Parameters
    ----------
    settings : Settings
    ready : callable
        Called with the address once the server answers.

    Raises
    ------
    TopgenreError
        If the address or the model cannot be used.
    """
    log_to_stderr()
    application = create_app(settings)
    listening = _listen(settings)
    host, port = listening.getsockname()[:2]
    for warning in settings.warnings():
        log.warning(warning)
    connection = partial(
        Connection,
        most=settings.connections,
        fair=not settings.trusted_proxies,
        head_limit=settings.head_limit,
    )
    config = uvicorn.Config(
        application,
        http=connection,  # type: ignore[arg-type]
        ws="none",
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
    )
    server = _Server(config, f"http://{f'[{host}]' if ':' in host else host}:{port}", ready)
    server.run(sockets=[listening])
    if not server.started:
        raise TopgenreError("the server could not start; the log above says why")


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, url: str, ready: Callable[[str], object]) -> None:
        super().__init__(config)
        self._url = url
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(f"topgenre listens at {self._url}\n")
            sys.stdout.flush()
            self._ready(self._url)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY; otherwise each answer waits 40 ms for the
    # client's delayed acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise TopgenreError(
            f"{settings.host}:{settings.port}: cannot listen there ({error.strerror}); "
            "choose another --port, or stop the program that uses it"
        ) from error
    return listening
