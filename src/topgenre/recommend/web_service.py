"""Get JSON over HTTP from a service that may be slow, broken or hostile."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from topgenre import __version__
from topgenre.errors import RecommendationError

_LARGEST = 4 << 20  # bytes of an answer; a page of search results has some 50 kB
_PAUSE = 0.3  # s before the second try after a fault of the service
_QUOTED = 1000  # characters of an answer that is not JSON


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold the answer of a service.

    Attributes
    ----------
    status : int
    body : object
        Parsed JSON, or None if it is not JSON.
    text : str
        The beginning of what the service wrote.
    retry_after : float or None
        Seconds to wait before the next request, where the service says so.
    """

    status: int
    body: Any
    text: str
    retry_after: float | None


class Connection:
    """Send requests to one service within one time limit for all of them.

    Parameters
    ----------
    service : str
        Its name for people; every message begins with it.
    timeout : float
        Seconds to wait for a connection, and for each part of an answer.
    time_limit : float
        Seconds for everything from now on.
    """

    def __init__(self, service: str, timeout: float, time_limit: float) -> None:
        self.service = service
        self._timeout = timeout
        self._time_limit = time_limit
        self._deadline = time.monotonic() + time_limit
        try:
            self._client = httpx.Client(
                verify=_tls(),
                # A redirection could carry credentials to where they do not belong.
                follow_redirects=False,
                headers={"User-Agent": f"topgenre/{__version__}", "Accept": "application/json"},
            )
        except OSError as error:
            raise RecommendationError(
                f"{service} cannot be asked, as the TLS certificates cannot be read; "
                "check SSL_CERT_FILE and SSL_CERT_DIR"
            ) from error
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise RecommendationError(
                f"{service} cannot be asked, as the proxy set in the environment is not usable; "
                "check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    @property
    def remaining(self) -> float:
        """Seconds that are left."""
        return self._deadline - time.monotonic()

    def send(self, method: str, url: str, **options: Any) -> Answer:
        """Send a request, and again if the service failed the first time.

        Parameters
        ----------
        method, url : str
        **options
            See `httpx.Client.build_request`.

        Raises
        ------
        RecommendationError
            If no answer comes in time, or a successful one that is not JSON.
        """
        try:
            answer = self._send(method, url, options)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            answer = None
        if answer is None or answer.status >= 500:
            time.sleep(max(0.0, min(_PAUSE, self.remaining)))
            try:
                answer = self._send(method, url, options)
            except httpx.TransportError as error:
                raise RecommendationError(
                    f"{self.service} broke off the connection; try again later"
                ) from error
        if answer.status >= 500:
            raise RecommendationError(
                f"{self.service} has a problem of its own ({answer.status}); try again later"
            )
        if answer.status < 300 and answer.body is None:
            raise self.strange_answer()
        return answer

    def strange_answer(self) -> RecommendationError:
        """Return the error for an answer in an unknown form."""
        return RecommendationError(
            f"{self.service} answered in an unexpected form; try again later, "
            "and check its address if you have set one"
        )

    def _send(self, method: str, url: str, options: dict[str, Any]) -> Answer:
        seconds = min(self._timeout, self.remaining)
        if seconds <= 0:
            raise self._too_slow()
        try:
            request = self._client.build_request(method, url, timeout=seconds, **options)
            response = self._client.send(request, stream=True)
            try:
                return self._read(response)
            finally:
                response.close()
        except httpx.TimeoutException as error:
            raise self._too_slow() from error
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            raise
        except (httpx.TransportError, httpx.InvalidURL) as error:
            host = urlsplit(url).hostname
            raise RecommendationError(
                f"{self.service} cannot be reached at {host}; check the network connection"
            ) from error
        except httpx.HTTPError as error:
            raise self.strange_answer() from error

    def _read(self, response: httpx.Response) -> Answer:
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if len(content) > _LARGEST:
                raise self.strange_answer()
            if self.remaining <= 0:
                raise self._too_slow()
        return Answer(
            response.status_code,
            _parsed(response.headers.get("Content-Type", ""), bytes(content)),
            content[:_QUOTED].decode("utf-8", "replace"),
            _seconds(response.headers.get("Retry-After", "")),
        )

    def _too_slow(self) -> RecommendationError:
        seconds = self._timeout if self.remaining > 0 else self._time_limit
        return RecommendationError(
            f"{self.service} did not answer within {seconds:g} s; try again later"
        )


@cache
def _tls() -> ssl.SSLContext:
    # Reading the certificates is the slowest part of making a client.
    return httpx.create_ssl_context()


def _parsed(content_type: str, content: bytes) -> Any:
    if "json" not in content_type.lower():
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _seconds(retry_after: str) -> float | None:
    """Read a Retry-After header: seconds or a date."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
