"""Tracks and playlists from Spotify for a mixture of genres."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from topgenre.recommend.items import SPOTIFY, Item, ProviderInfo, Section, Wish
from topgenre.recommend.mixture import Picker, interleave, quotas, spoken
from topgenre.recommend.settings import RecommendSettings
from topgenre.recommend.spotify import PAGE, Client, Kind
from topgenre.recommend.web_service import Connection


class Spotify:
    """What Spotify's search finds, shared out by the weights of the genres.

    Parameters
    ----------
    settings : RecommendSettings
        With both credentials.
    """

    info: ProviderInfo = SPOTIFY

    def __init__(self, settings: RecommendSettings) -> None:
        self._client = Client(settings)

    def find(self, wish: Wish) -> Section:
        """Find one track of an artist at most, and about a playlist in four items."""
        tracks: list[list[Item]] = []
        playlists: list[list[Item]] = []
        notices: list[str] = []
        picker = Picker()
        with self._client.connect() as connection:
            for genre, count in quotas(wish.weights, wish.limit).items():
                pages = self._pages(connection, "playlist", genre, count)
                playlists.append(picker.pick(pages, (count + 1) // 4))
                # Where playlists are missing, tracks take their places.
                pages = self._pages(connection, "track", genre, count)
                tracks.append(picker.pick(pages, count - len(playlists[-1])))
                by_keyword = sum(item.query != _filter(genre) for item in tracks[-1])
                if by_keyword:
                    notices.append(
                        f"{_filter(genre)} found too few: {by_keyword} of {len(tracks[-1])} "
                        f"tracks for {genre} come from a search for the word"
                    )
                found = len(playlists[-1]) + len(tracks[-1])
                if found < count and not picker.failure:
                    notices.append(f"Spotify found {found or 'none'} of {count} for {genre}")
        items = (*interleave(tracks), *interleave(playlists))
        return Section.of(self.info, items, (*notices, *picker.reasons(items)))

    def _pages(
        self, connection: Connection, kind: Kind, genre: str, count: int
    ) -> Iterator[tuple[Item, ...]]:
        """Yield pages for the genre as Spotify knows it, and then for its name as a keyword."""
        name = spoken(genre)
        # The filter is documented for tracks, but may find nothing for a new app.
        queries = [_filter(genre), name] if kind == "track" else [name]
        most = 3 + 2 * count // PAGE  # pages, as one artist often fills half of one
        for query in queries:
            yield from islice(self._client.search(connection, query, kind, genre), most)


def _filter(genre: str) -> str:
    return f'genre:"{spoken(genre)}"'
