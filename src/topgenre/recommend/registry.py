"""The providers that come along: which there are, which can be used, which are the default."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from topgenre.errors import RecommendationError
from topgenre.recommend.items import DEEZER, LIBRARY, SEARCH_LINKS, SPOTIFY, Provider, ProviderInfo
from topgenre.recommend.search_links import SearchLinks

if TYPE_CHECKING:
    from topgenre.recommend.settings import RecommendSettings

KNOWN = (SPOTIFY, SEARCH_LINKS, DEEZER, LIBRARY)


def usable() -> list[ProviderInfo]:
    """Return the providers that can be used as things are set, the default one first."""
    try:
        settings = _settings()
    except RecommendationError:
        return [SEARCH_LINKS]
    found = [SEARCH_LINKS, DEEZER] if settings.missing_credentials else [*KNOWN[:-1]]
    # A server should show its owner's songs to others only when it was told to.
    return [*found, LIBRARY] if settings.catalog else found


def default() -> tuple[Provider, tuple[str, ...]]:
    """Return the default provider, and why it is no better one, if something is amiss."""
    try:
        settings = _settings()
    except RecommendationError as error:
        return SearchLinks(), (str(error),)
    missing = settings.missing_credentials
    if not missing:
        return _spotify(settings), ()
    if len(missing) == 1:
        return SearchLinks(), (f"Spotify is not asked, as {missing[0]} is not set; set it",)
    return SearchLinks(), ()


def provider(name: str) -> Provider:
    """Return a provider by its name, the same one as before while the settings stay the same.

    Raises
    ------
    RecommendationError
        If a setting makes no sense, or it needs credentials that are not set.
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
            f"Spotify needs credentials; set {' and '.join(settings.missing_credentials)}, "
            "from an app in Spotify's developer dashboard"
        )
    return _spotify(settings)


def _settings() -> RecommendSettings:
    from topgenre.recommend.settings import load

    return load()


# Kept, for their tokens, caches and what they know of pauses that were asked for.
@lru_cache(maxsize=4)
def _spotify(settings: RecommendSettings) -> Provider:
    from topgenre.recommend.spotify_provider import Spotify

    return Spotify(settings)


@lru_cache(maxsize=4)
def _deezer(settings: RecommendSettings) -> Provider:
    from topgenre.recommend.deezer import Deezer

    return Deezer(settings)
