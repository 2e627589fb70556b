"""Link to searches on Spotify, which needs neither an account nor a network."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from topgenre.recommend.items import SEARCH_LINKS, Item, ProviderInfo, Section, Wish
from topgenre.recommend.mixture import quotas, spoken


def search_url(words: str, kind: str = "") -> str:
    """Return the address of a search on Spotify, for playlists only if `kind` says so.

    Examples
    --------
    >>> search_url("hip hop", "playlists")
    'https://open.spotify.com/search/hip%20hop/playlists'
    """
    words = words.encode("utf-8", "replace").decode()
    return "/".join(filter(None, ("https://open.spotify.com/search", quote(words, safe=""), kind)))


class SearchLinks:
    """Links for the song and its artist, if they are known, and for each genre."""

    info: ProviderInfo = SEARCH_LINKS

    def find(self, wish: Wish) -> Section:
        """Return links: song, artist, then the genres, heaviest first."""
        return Section.of(self.info, [*_links(wish)][: wish.limit])


def _links(wish: Wish) -> Iterator[Item]:
    if wish.artist:
        if wish.title:
            yield _item(f"{wish.artist} - {wish.title}", f"{wish.artist} {wish.title}")
        yield _item(f"{wish.artist} playlists", wish.artist, "playlists")
    for genre in quotas(wish.weights, wish.limit):
        yield _item(f"{spoken(genre)} playlists", spoken(genre), "playlists", genre)


def _item(name: str, query: str, kind: str = "", genre: str = "") -> Item:
    return Item(
        kind="search",
        name=f"Search Spotify for {name}",
        artists=(),
        url=search_url(query, kind),
        artwork_url=None,
        genre=genre,
        query=query,
    )
