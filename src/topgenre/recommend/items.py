"""Define wishes, items, sections and providers of recommendations."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from topgenre.recommend.fields import text
from topgenre.result import GenreProbability, rank

SectionKind = Literal["search", "tracks", "artist", "charts", "library"]
ItemKind = Literal["track", "playlist", "search"]

_LONGEST_NAME = 100  # characters of a genre
_HIGHEST_WEIGHT = 1e6


@dataclass(frozen=True, slots=True)
class Item:
    """Something to listen to, or a place to look for it.

    Attributes
    ----------
    kind : {"track", "playlist", "search"}
    name : str
    artists : tuple of str
        Names; empty where the provider has none.
    url : str
        Where to listen to it.
    artwork_url : str or None
        Picture on the provider's server, which is shown from there and not kept.
    genre : str
        The genre of the mixture it was found for; empty if it was found for the artist.
    query : str
        The query that found it.
    preview_url : str or None
        The first 30 s as an MP3, valid for some minutes.
    spotify_url : str or None
        The same track on Spotify, or a search for it there if the address has ``/search/`` in it.
    """

    kind: ItemKind
    name: str
    artists: tuple[str, ...]
    url: str
    artwork_url: str | None
    genre: str
    query: str
    preview_url: str | None = None
    spotify_url: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {**asdict(self), "artists": list(self.artists)}


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """Name of a provider for programs, its label for people, and its kind."""

    name: str
    label: str
    kind: SectionKind

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return asdict(self)


# Here and not beside the providers' code, which imports an HTTP client.
SEARCH_LINKS = ProviderInfo("search-links", "Search on Spotify", "search")
SPOTIFY = ProviderInfo("spotify", "Spotify", "tracks")
DEEZER = ProviderInfo("deezer", "Deezer", "charts")
LIBRARY = ProviderInfo("library", "Your library", "library")

PREVIEW_HOST = "https://*.dzcdn.net"  # where every `Item.preview_url` is, for a page's CSP


@dataclass(frozen=True, slots=True)
class Section:
    """Recommendations of one provider.

    Attributes
    ----------
    provider, label : str
    kind : {"search", "tracks", "artist", "charts", "library"}
    items : tuple of Item
        In the order to show or play them.
    notices : tuple of str
        Remarks on the items, or why there are not enough; one line each.
    """

    provider: str
    label: str
    kind: SectionKind
    items: tuple[Item, ...]
    notices: tuple[str, ...] = ()

    @classmethod
    def of(cls, info: ProviderInfo, items: Iterable[Item], notices: Iterable[str] = ()) -> Section:
        """Return a provider's section."""
        return cls(info.name, info.label, info.kind, tuple(items), tuple(notices))

    def to_dict(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        return {
            "provider": self.provider,
            "label": self.label,
            "kind": self.kind,
            "items": [item.to_dict() for item in self.items],
            "notices": list(self.notices),
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """A request for recommendations.

    Attributes
    ----------
    weights : tuple of GenreProbability
        The mixture of genres, largest share first. The shares are positive and sum to 1.
    limit : int
        Most items.
    source : str or None
        The music file that the mixture was found in, for providers that analyse it themselves.
    artist, title : str or None
        The song, for providers that know music by its name.
    playlists_first : bool
        Whether playlists are preferred to single tracks.
    """

    weights: tuple[GenreProbability, ...]
    limit: int
    source: str | None = None
    artist: str | None = None
    title: str | None = None
    playlists_first: bool = False

    @classmethod
    def of(
        cls,
        weights: Iterable[GenreProbability],
        limit: int,
        source: str | None = None,
        *,
        artist: str | None = None,
        title: str | None = None,
        playlists_first: bool = False,
    ) -> Wish:
        """Build a wish from weights of any sum.

        Raises
        ------
        ValueError
            If no weight is above 0, one is negative or not finite, or `limit` is below 1.
        """
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        sums: dict[str, float] = {}
        for genre, weight in weights:
            if not math.isfinite(weight) or weight < 0:
                raise ValueError(f"the weight of {genre} must be 0 or more, not {weight}")
            sums[genre] = sums.get(genre, 0.0) + weight
        largest = max(sums.values(), default=0.0)
        if not 0 < largest < math.inf:
            raise ValueError("at least one genre must have a weight above 0, and none too large")
        # Scaled before they are added, as the sum of huge weights is infinite.
        scaled = {genre: weight / largest for genre, weight in sums.items()}
        total = math.fsum(scaled.values())
        shares = {genre: weight / total for genre, weight in scaled.items() if weight / total}
        # Tags and user input become part of requests and notices.
        artist, title = (text({"name": name}, "name") or None for name in (artist, title))
        return cls(rank(shares), limit, source, artist, title, playlists_first)


def parse_weight(written: str) -> GenreProbability:
    """Read a genre, or a genre with its weight after a colon, such as ``jazz:0.3``.

    Returns
    -------
    GenreProbability
        The genre in lower case; its weight is 1 by default.

    Raises
    ------
    ValueError
        If the name is not printable, longer than 100 characters or empty, or the weight is not in
        (0, 1000000].
    """
    name, colon, number = written.rpartition(":")
    if not colon:
        name, number = written, "1"
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    name = name.strip().lower()
    named = name.isprintable() and 0 < len(name) <= _LONGEST_NAME
    if not named or not 0 < weight <= _HIGHEST_WEIGHT:
        raise ValueError(
            f"{written!r}: write a genre of up to {_LONGEST_NAME} characters, or one with a weight "
            f"above 0 and up to {_HIGHEST_WEIGHT:.0f} such as jazz:0.3"
        )
    return GenreProbability(name, weight)


class Provider(Protocol):
    """A source of recommendations; it may be shared by threads."""

    @property
    def info(self) -> ProviderInfo:
        """Name, label and kind."""

    def find(self, wish: Wish) -> Section:
        """Find music; notices say why there are fewer items than requested.

        Raises
        ------
        RecommendationError
            If nothing is found; its message becomes the notice of an empty section.
        """
