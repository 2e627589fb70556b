"""Define the server's settings; every default is safe on a network."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from topgenre.web.connection import most_connections

_MIB = 1 << 20
_SHORTEST_KEY, _SHORT_KEY = 8, 16  # characters: shorter keys are refused, or warned of
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _key(value: SecretStr | None) -> SecretStr | None:
    # An empty variable in a compose file must not become a key that can be guessed.
    key = value.get_secret_value() if value else ""
    if not key:
        return None
    if len(key.strip()) < _SHORTEST_KEY:
        raise ValueError(f"use a key of {_SHORTEST_KEY} characters or more")
    if not (key.isascii() and key.isprintable()) or key != key.strip():
        raise ValueError(
            "use printable ASCII without spaces at the ends; headers cannot hold others"
        )
    return value


def _origin(text: str) -> str:
    said = f"{text!r} is not an origin such as https://music.example"
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for one that is not a number
    except ValueError:
        raise ValueError(said) from None
    plain = f"{parts.scheme}://{parts.netloc}" == text
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname or "*" in text:
        raise ValueError(said)
    if "@" in text or not text.isascii() or text != text.lower():
        raise ValueError(said)
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text.lower()):
        raise ValueError(f"{text!r} is not a host name without port, such as music.example")
    return text.lower()


def _proxies(text: str) -> str:
    for part in text.split(","):
        if part.strip() not in ("", "*"):
            ipaddress.ip_network(part.strip())
    return text


_Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Settings of the server, from ``TOPGENRE_...`` environment variables and flags.

    Attributes
    ----------
    host, port : str, int
        Where to listen; port 0 picks a free one.
    model : Path, optional
        Model file, by default the bundled one.
    genres : Path, optional
        File of taught genres, which replace the model's own.
    workers : int
        Processes that decode and classify.
    queue_size : int
        Uploads that may wait for a worker; more are answered with 503.
    max_upload_bytes : int, optional
        Longest accepted file; by default 100 MiB, or any on loopback.
    max_connections : int, optional
        Connections at once; by default as many as the limit of open files allows.
    head_limit : float
        Seconds for the head of a request to arrive.
    stall_limit : float
        Seconds without a byte after which an upload is cancelled. After that time, its mean rate
        must be at least `topgenre.web.uploads.LEAST_RATE`.
    time_limit : float
        Seconds that one file may take before its process is killed.
    memory_limit_bytes : int
        Memory for one file, beyond that of an idle process; Linux only.
    api_key : SecretStr, optional
        If set, every request except health checks and the page's files must send it.
    allowed_origins : tuple of str
        Web sites whose scripts may use the API; separated by commas in the environment.
    allowed_hosts : tuple of str
        Host names of the server; by default any, but on loopback only loopback's, against DNS
        rebinding.
    rate_limit : int
        Requests per minute and client; 0 for no limit.
    trusted_proxies : str
        Addresses of reverse proxies whose ``X-Forwarded-For`` is trusted.
    catalog : Path, optional
        Catalogue whose songs clients may see; by default none.
    library_play : bool
        Whether clients may play the catalogue's songs too.
    corrections : bool
        Whether clients may correct genres in the catalogue. Music files are never changed.
    """

    model_config = SettingsConfigDict(
        env_prefix="TOPGENRE_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    model: Path | None = None
    genres: Path | None = None
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    queue_size: int = Field(default=32, ge=0, le=10_000)
    max_upload_bytes: int | None = Field(default=None, ge=1)
    max_connections: int | None = Field(default=None, ge=1)
    head_limit: _Seconds = 10.0
    stall_limit: _Seconds = 30.0
    time_limit: _Seconds = 60.0
    memory_limit_bytes: int = Field(default=1024 * _MIB, ge=64 * _MIB, le=1 << 50)
    api_key: Annotated[SecretStr | None, AfterValidator(_key)] = None
    allowed_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split)
    ] = ()
    allowed_hosts: Annotated[
        tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_split)
    ] = ()
    rate_limit: int = Field(default=600, ge=0, le=1_000_000)
    trusted_proxies: Annotated[str, AfterValidator(_proxies)] = ""
    catalog: Path | None = None
    library_play: bool = False
    corrections: bool = False

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.library_play and self.catalog is None:
            raise ValueError("TOPGENRE_LIBRARY_PLAY needs TOPGENRE_CATALOG")
        if self.corrections and self.catalog is None:
            raise ValueError("TOPGENRE_CORRECTIONS needs TOPGENRE_CATALOG")
        most = most_connections(self.workers)
        if (self.max_connections or 0) > most:
            raise ValueError(
                f"TOPGENRE_MAX_CONNECTIONS must be at most {most}; raise the limit of open files"
            )
        return self

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names of the server; empty for any."""
        if self.allowed_hosts or not self.loopback:
            return self.allowed_hosts
        return ("localhost", "127.0.0.1", "[::1]", self.host)

    @property
    def upload_limit(self) -> int | None:
        """Size of the longest accepted file in bytes; None for any."""
        if self.max_upload_bytes is None and not self.loopback:
            return 100 * _MIB
        return self.max_upload_bytes

    @property
    def connections(self) -> int:
        """Most connections at once."""
        return self.max_connections or most_connections(self.workers)

    def warnings(self) -> list[str]:
        """Return warnings about risky settings."""
        found = []
        key = self.api_key.get_secret_value() if self.api_key else ""
        if not self.loopback and not key:
            found.append(
                "anybody who can reach this machine can use the server: set TOPGENRE_API_KEY"
            )
        if 0 < len(key) < _SHORT_KEY:
            found.append(
                f"TOPGENRE_API_KEY has fewer than {_SHORT_KEY} characters: choose a longer one"
            )
        if not self.loopback and not self.rate_limit:
            found.append(
                "clients can send requests, and guess the key, at any rate: set TOPGENRE_RATE_LIMIT"
            )
        if "*" in self.trusted_proxies:
            found.append(
                "every client can claim any address: name your proxies in TOPGENRE_TRUSTED_PROXIES"
            )
        if self.library_play and not self.loopback and not key:
            found.append("anybody who can reach this machine can play the songs of the catalogue")
        if self.corrections and not self.loopback and not key:
            found.append("anybody who can reach this machine can correct genres in the catalogue")
        return found
