"""Read credentials, addresses and time limits of the providers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from topgenre.errors import RecommendationError

PREFIX = "TOPGENRE_"
DOTENV = ".env"

# No addresses: a file that somebody put into a folder must not send the secret elsewhere.
_IN_DOTENV = ("spotify_client_id", "spotify_client_secret", "spotify_market")


def _address(text: str) -> str:
    try:
        url = HttpUrl(text)
    except ValidationError:
        raise ValueError("use an address such as https://api.example.com") from None
    if url.username or url.password or url.query or url.fragment:
        raise ValueError("use an address without user, query and fragment")
    return str(url).rstrip("/")


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


_Address = Annotated[str, AfterValidator(_address)]
_Market = Annotated[str, BeforeValidator(_upper), Field(pattern="^[A-Z]{2}$")]
_Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]


class RecommendSettings(BaseSettings):
    """Settings from ``TOPGENRE_...`` environment variables, or else from ``.env``.

    The file is the one in the working directory, and only credentials and market are read from it.

    Attributes
    ----------
    spotify_client_id, spotify_client_secret : str, SecretStr
        Of an app that is registered with Spotify.
    spotify_market : str
        Country in whose catalogue to search, ISO 3166-1 alpha-2.
    spotify_api_url, spotify_token_url, deezer_api_url : str
    service_timeout : float
        Seconds to wait for a connection, and for each part of an answer.
    recommend_time_limit : float
        Seconds that all requests for one section may take together.
    recommend_cache_seconds : float
        How long answers are kept in memory; 0 keeps none.
    catalog : Path, optional
        Catalogue of the user's own songs; by default the one in the folder for user data.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        str_strip_whitespace=True,
    )

    spotify_client_id: str | None = None
    spotify_client_secret: SecretStr | None = None
    spotify_market: _Market = "US"
    spotify_api_url: _Address = "https://api.spotify.com/v1"
    spotify_token_url: _Address = "https://accounts.spotify.com/api/token"
    deezer_api_url: _Address = "https://api.deezer.com"
    service_timeout: _Seconds = 5.0
    recommend_time_limit: _Seconds = 15.0
    # Spotify's terms allow a short-lived cache only.
    recommend_cache_seconds: Annotated[float, Field(ge=0, le=3600)] = 600.0
    catalog: Path | None = Field(
        None, validation_alias=AliasChoices("TOPGENRE_CATALOGUE", "TOPGENRE_CATALOG")
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Prefer the environment to the values passed in, which come from the file."""
        return env_settings, init_settings

    @property
    def missing_credentials(self) -> tuple[str, ...]:
        """Names of the variables that are missing to ask Spotify."""
        secret = self.spotify_client_secret
        values = {
            "SPOTIFY_CLIENT_ID": self.spotify_client_id,
            "SPOTIFY_CLIENT_SECRET": secret and secret.get_secret_value(),
        }
        return tuple(PREFIX + name for name, value in values.items() if not value)


def load() -> RecommendSettings:
    """Read the settings.

    Raises
    ------
    RecommendationError
        If one of them is invalid.
    """
    try:
        return RecommendSettings(**_from_dotenv(Path(DOTENV)))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = PREFIX + "_".join(map(str, first["loc"])).upper()
        said = first["msg"].removeprefix("Value error, ")
        raise RecommendationError(f"{name}: {said}; change or unset it") from None


def _from_dotenv(path: Path) -> dict[str, Any]:
    try:
        found = dotenv_values(path, interpolate=False) if path.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise RecommendationError(
            f"{path}: this is not a readable UTF-8 text file; repair or remove it"
        ) from error
    values = {name: found.get(PREFIX + name.upper()) for name in _IN_DOTENV}
    return {name: value for name, value in values.items() if value}
