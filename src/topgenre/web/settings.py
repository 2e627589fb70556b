"""What an administrator may choose; every default is safe for a machine on a network."""

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
_SHORTEST_KEY, _SHORT_KEY = 8, 16  # characters: fewer are refused, fewer are warned of
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _key(value: SecretStr | None) -> SecretStr | None:
    # An empty variable in a compose file must not turn into a key that anybody guesses.
    key = value.get_secret_value() if value else ""
    if not key:
        return None
    if len(key.strip()) < _SHORTEST_KEY:
        raise ValueError(f"use a key of {_SHORTEST_KEY} characters or more")
    if not (key.isascii() and key.isprintable()) or key != key.strip():
        raise ValueError("use printable ASCII without spaces at the ends; headers hold no others")
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
        Where to listen; port 0 takes a free one.
    model : Path, optional
        Model file, by default the bundled one.
    genres : Path, optional
        File of taught genres, which take the place of the model's own.
    workers : int
        Processes that decode and classify.
    queue_size : int
        Uploads that may wait for a worker; more are answered with 503.
    max_upload_bytes : int, optional
        Longest accepted file; by default 100 MiB, and on loopback any.
    max_connections : int, optional
        Connections at once; by default as many as the limit of open files allows.
    head_limit : float
        Seconds in which the head of a request must arrive.
    stall_limit : float
        Seconds without a byte after which an upload is given up; after as many, its mean rate must
        be at least `topgenre.web.uploads.LEAST_RATE`.
    time_limit : float
        Seconds that one file may take before its process is killed.
    memory_limit_bytes : int
        Memory that one file may take beyond what a process at rest needs; Linux only.
    api_key : SecretStr, optional
        If set, every request but health checks and the page's own files must bring it.
    allowed_origins : tuple of str
        Web sites whose scripts may use the API; separated by commas in the environment.
    allowed_hosts : tuple of str
        Names under which the server may be addressed; by default any, but on loopback only
        loopback's, so that no web site can reach it through a name of its own.
    rate_limit : int
        Requests a minute of one client, 0 for no limit.
    trusted_proxies : str
        Addresses of reverse proxies whose ``X-Forwarded-For`` is believed.
    catalog : Path, optional
        Catalogue whose songs clients may be told of; by default none.
    library_play : bool
        Whether clients may also play the catalogue's songs.
    corrections : bool
        Whether clients may correct the genres of the catalogue's songs. No file is changed.
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
                f"TOPGENRE_MAX_CONNECTIONS may be {most} at most; raise the limit of open files"
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
        """Names that requests may address; empty for any."""
        if self.allowed_hosts or not self.loopback:
            return self.allowed_hosts
        return ("localhost", "127.0.0.1", "[::1]", self.host)

    @property
    def upload_limit(self) -> int | None:
        """Bytes of the longest accepted file; None for any."""
        if self.max_upload_bytes is None and not self.loopback:
            return 100 * _MIB
        return self.max_upload_bytes

    @property
    def connections(self) -> int:
        """How many connections there may be at once."""
        return self.max_connections or most_connections(self.workers)

    def warnings(self) -> list[str]:
        """Say what is risky about these settings, one sentence each."""
        found = []
        key = self.api_key.get_secret_value() if self.api_key else ""
        if not self.loopback and not key:
            found.append(
                "anybody who reaches this machine may use the server: set TOPGENRE_API_KEY"
            )
        if 0 < len(key) < _SHORT_KEY:
            found.append(
                f"TOPGENRE_API_KEY has fewer than {_SHORT_KEY} characters: choose a longer one"
            )
        if not self.loopback and not self.rate_limit:
            found.append("clients may ask, and guess the key, at any rate: set TOPGENRE_RATE_LIMIT")
        if "*" in self.trusted_proxies:
            found.append(
                "every client may claim any address: name your proxies in TOPGENRE_TRUSTED_PROXIES"
            )
        if self.library_play and not self.loopback and not key:
            found.append("anybody who reaches this machine may play the songs of the catalogue")
        if self.corrections and not self.loopback and not key:
            found.append("anybody who reaches this machine may correct genres in the catalogue")
        return found
