"""List the built-in providers, tell which are usable, and pick the default."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from topgenre.errors import RecommendationError
from topgenre.recommend.items import DEEZER, LIBRARY, SEARCH_LINKS, SPOTIFY, Provider, ProviderInfo
from topgenre.recommend.search_links import SearchLinks

if TYPE_CHECKING:
    from topgenre.recommend.settings import RecommendSettings
    from topgenre.recommend.spotify_provider import Spotify

CONNECT_SPOTIFY = (
    "To get tracks and playlists here, connect Spotify: create an app at "
    "developer.spotify.com/dashboard and set TOPGENRE_SPOTIFY_CLIENT_ID and "
    "TOPGENRE_SPOTIFY_CLIENT_SECRET"
)
KNOWN = (SPOTIFY, SEARCH_LINKS, DEEZER, LIBRARY)


def usable() -> list[ProviderInfo]:
    """Return the providers that the settings allow, the default one first."""
    try:
        settings = _settings()
    except RecommendationError:
        return [SEARCH_LINKS]
    found = [SEARCH_LINKS, DEEZER] if settings.missing_credentials else [*KNOWN[:-1]]
    # A server should show its owner's songs to others only when it was told to.
    return [*found, LIBRARY] if settings.catalog else found


def default() -> tuple[Provider, tuple[str, ...]]:
    """Return the default provider, and a notice if a setting rules out a better one."""
    try:
        settings = _settings()
    except RecommendationError as error:
        return SearchLinks(), (str(error),)
    missing = settings.missing_credentials
    if not missing:
        return _spotify(settings), ()
    if len(missing) == 1:
        return SearchLinks(), (f"Spotify was not asked: {missing[0]} is not set",)
    return SearchLinks(), (CONNECT_SPOTIFY,)


def provider(name: str) -> Provider:
    """Return a provider by its name.

    Raises
    ------
    RecommendationError
        If a setting is invalid, or the provider needs credentials that are not set.
    """
    if name == SEARCH_LINKS.name:
        return SearchLinks()
    settings = _settings()
    if name == DEEZER.name:
        return _deezer(settings)
    if name == LIBRARY.name:
        from topgenre.recommend.library_provider import Library

        return Library(settings.catalog)
    if settings.missing_credentials:
        raise RecommendationError(
            f"Spotify is not connected: set {' and '.join(settings.missing_credentials)} "
            "to those of an app from developer.spotify.com/dashboard"
        )
    return _spotify(settings)


def _settings() -> RecommendSettings:
    from topgenre.recommend.settings import load

    return load()


# Cached, because they hold tokens, answers and the pauses that services asked for.
@lru_cache(maxsize=4)
def _spotify(settings: RecommendSettings) -> Spotify:
    from topgenre.recommend.spotify_provider import Spotify

    return Spotify(settings)


@lru_cache(maxsize=4)
def _deezer(settings: RecommendSettings) -> Provider:
    from topgenre.recommend.deezer import Deezer

    return Deezer(settings, None if settings.missing_credentials else _spotify(settings).client)
