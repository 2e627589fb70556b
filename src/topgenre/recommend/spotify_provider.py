"""Find tracks and playlists on Spotify for a mixture of genres."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from topgenre.recommend.items import SPOTIFY, Item, ProviderInfo, Section, Wish
from topgenre.recommend.mixture import Picker, by_word, interleave, quotas, shortage, spoken
from topgenre.recommend.settings import RecommendSettings
from topgenre.recommend.spotify import PAGE, Client, Kind
from topgenre.recommend.web_service import Connection


class Spotify:
    """Results of Spotify's search, shared out by the weights of the genres.

    Parameters
    ----------
    settings : RecommendSettings
        With both credentials.
    """

    info: ProviderInfo = SPOTIFY

    def __init__(self, settings: RecommendSettings) -> None:
        self.client = Client(settings)

    def find(self, wish: Wish) -> Section:
        """Find tracks of different artists, and playlists: one item in four, or three."""
        tracks: list[list[Item]] = []
        playlists: list[list[Item]] = []
        notices: list[str] = []
        picker = Picker()
        with self.client.connect() as connection:
            for genre, count in quotas(wish.weights, wish.limit).items():
                wanted = count - count // 4 if wish.playlists_first else (count + 1) // 4
                # Playlists with the song's artist are nearer to the song than those of its genre.
                pages = self._pages(connection, "playlist", genre, count, wish.artist)
                playlists.append(picker.pick(pages, wanted))
                # Where playlists are missing, tracks take their places.
                pages = self._pages(connection, "track", genre, count)
                tracks.append(picker.pick(pages, count - len(playlists[-1])))
                if any(item.query != _filter(genre) for item in tracks[-1]):
                    notices.append(by_word(genre))
                found = len(playlists[-1]) + len(tracks[-1])
                if found < count and not picker.failure:
                    notices.append(shortage("Spotify", found, count, genre))
        lists = [interleave(tracks), interleave(playlists)]
        items = [item for found in lists[:: -1 if wish.playlists_first else 1] for item in found]
        return Section.of(self.info, items, (*notices, *picker.reasons(items)))

    def _pages(
        self,
        connection: Connection,
        kind: Kind,
        genre: str,
        count: int,
        artist: str | None = None,
    ) -> Iterator[tuple[Item, ...]]:
        """Yield pages for the artist, for Spotify's genre, and for its name as a keyword."""
        name = spoken(genre)
        # The filter is documented for tracks, but may find nothing for a new app.
        queries = {_filter(genre): genre, name: genre} if kind == "track" else {name: genre}
        if artist and spoken(artist):
            queries = {spoken(artist): "", **queries}
        most = 3 + 2 * count // PAGE  # pages, as one artist often fills half of one
        for query, found_for in queries.items():
            yield from islice(self.client.search(connection, query, kind, found_for), most)


def _filter(genre: str) -> str:
    return f'genre:"{spoken(genre)}"'
