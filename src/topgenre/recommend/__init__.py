"""Recommend music after a classification, in a section for each provider.

>>> from topgenre.recommend import recommend
>>> from topgenre.result import GenreProbability
>>> [section] = recommend([GenreProbability("jazz", 0.8)], providers=["search-links"])
>>> section.items[0].url
'https://open.spotify.com/search/jazz/playlists'

`items` defines wishes and sections, `mixture` shares a list out among genres, `registry` lists the
providers, `settings` reads addresses and credentials. The providers are `search_links`,
`spotify_provider`, `deezer` and `library_provider`; they ask services through `spotify`,
`web_service`, `fields`, `cache` and `circuit`. `playlist` writes files.

An HTTP client is imported only when a provider needs one. Answers are kept in memory for minutes,
and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from topgenre.errors import RecommendationError
from topgenre.recommend import registry
from topgenre.recommend.items import Item, Provider, ProviderInfo, Section, Wish
from topgenre.result import GenreProbability

__all__ = ["Item", "Provider", "ProviderInfo", "Section", "Wish", "available", "recommend"]

_logger = logging.getLogger(__name__)


def available() -> list[ProviderInfo]:
    """List the providers that the settings allow; the first one is the default."""
    return registry.usable()


def recommend(
    weights: Iterable[GenreProbability],
    *,
    limit: int = 10,
    providers: Sequence[str | Provider] | None = None,
    source: str | None = None,
    artist: str | None = None,
    title: str | None = None,
    playlists_first: bool = False,
) -> list[Section]:
    """Find music for a song or a mixture of genres; thread-safe.

    Parameters
    ----------
    weights : iterable of GenreProbability
        Genres and weights, such as ``result.top(3)``; they need not sum to 1.
    limit : int
        Most items per provider.
    providers : sequence of str or Provider, optional
        Names, or providers of your own; each gets a section. By default Spotify if its credentials
        are set, else links to a search on Spotify, which need no network.
    source : str, optional
        The music file that the mixture was found in. Its tags give artist and title, and some
        providers analyse it themselves.
    artist, title : str, optional
        The song, if the tags are wrong or there is no file. An empty text ignores the tags.
    playlists_first : bool
        Prefer playlists to single tracks, and list them first.

    Returns
    -------
    list of Section
        A provider that fails gives a section without items and a notice that says why.

    Raises
    ------
    ValueError
        If a provider's name is unknown, no weight is above 0, or `limit` is below 1.
    """
    if source is not None and artist is None:
        from topgenre.library.tags import read_tags

        tags = read_tags(source)
        artist, title = tags.artist, title or tags.title
    wish = Wish.of(
        weights, limit, source, artist=artist, title=title, playlists_first=playlists_first
    )
    if providers is None:
        provider, notices = registry.default()
        section = _asked(provider, wish)
        return [replace(section, notices=(*notices, *section.notices))]
    return [
        _named(provider, wish) if isinstance(provider, str) else _asked(provider, wish)
        for provider in _distinct(providers)
    ]


def _distinct(providers: Sequence[str | Provider]) -> list[str | Provider]:
    names = [info.name for info in registry.KNOWN]
    distinct: list[str | Provider] = []
    for provider in providers:
        if isinstance(provider, str) and provider not in names:
            raise ValueError(f"unknown provider {provider!r}; choose from {', '.join(names)}")
        if provider not in distinct:
            distinct.append(provider)
    return distinct


def _named(name: str, wish: Wish) -> Section:
    info = next(info for info in registry.KNOWN if info.name == name)
    try:
        provider = registry.provider(name)
    except RecommendationError as error:
        return Section.of(info, (), (str(error),))
    return _asked(provider, wish)


def _asked(provider: Provider, wish: Wish) -> Section:
    try:
        return provider.find(wish)
    except RecommendationError as error:
        said = str(error)
    except Exception as error:
        # A bug in a mere extra must not cost the classification.
        _logger.info("%s failed", provider.info.name, exc_info=True)
        kind = type(error).__name__
        said = f"{provider.info.label} failed because of a bug in topgenre ({kind}); report it"
    return Section.of(provider.info, (), (said,))
