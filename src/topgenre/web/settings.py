"""What an administrator may choose; every default is safe for a machine on a network."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_MIB = 1 << 20


class Settings(BaseSettings):
    """Settings of the server, from ``TOPGENRE_...`` environment variables and flags.

    Attributes
    ----------
    host, port : str, int
        Where to listen; port 0 takes a free one.
    model : Path, optional
        Model file, by default the one that comes along.
    workers : int
        Processes that decode and classify.
    queue_size : int
        Requests that may wait for a worker; more are answered with 503.
    max_upload_bytes : int
        Longest accepted file.
    stall_limit : float
        Seconds without a byte after which an upload is given up.
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
    """

    model_config = SettingsConfigDict(env_prefix="TOPGENRE_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    model: Path | None = None
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    queue_size: int = Field(default=32, ge=0)
    max_upload_bytes: int = Field(default=100 * _MIB, ge=1)
    stall_limit: float = Field(default=30.0, gt=0)
    time_limit: float = Field(default=60.0, gt=0)
    memory_limit_bytes: int = Field(default=1024 * _MIB, ge=64 * _MIB)
    api_key: SecretStr | None = None
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    rate_limit: int = Field(default=600, ge=0)
    trusted_proxies: str = ""

    @field_validator("allowed_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("api_key")
    @classmethod
    def _not_empty(cls, value: SecretStr | None) -> SecretStr | None:
        # An empty variable in a compose file must not turn into a key that anybody guesses.
        return value if value and value.get_secret_value() else None

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
