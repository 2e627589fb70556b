"""Ask Deezer's public API for music like a song, charts and playlists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar

from topgenre.errors import RecommendationError
from topgenre.recommend.cache import Cache
from topgenre.recommend.circuit import Circuit
from topgenre.recommend.fields import field, link, objects, text
from topgenre.recommend.items import DEEZER, Item, ProviderInfo, Section, Wish
from topgenre.recommend.mixture import (
    Picker,
    by_word,
    interleave,
    quotas,
    same_name,
    shortage,
    spoken,
)
from topgenre.recommend.settings import RecommendSettings
from topgenre.recommend.spotify import Client
from topgenre.recommend.spotify_links import with_spotify_links
from topgenre.recommend.web_service import Connection

_PAGE = 50  # items
_MOST_PAGES = 4  # of one list
_MOST_RELATED = 20  # artists; each costs a request
_TOP = 5  # tracks of a related artist, of which one is taken
_SHORT_WAIT = 5.0  # seconds that are worth waiting for; Deezer counts requests in 5 s
_UNKNOWN_WAIT = 5.0  # seconds, as Deezer does not say for how long it refuses requests
_TRIES = 3
_QUOTA, _BUSY, _NO_DATA = 4, 700, 800  # codes of errors, which come with status 200
_PREVIEW = re.compile(r"https://[a-z0-9-]+\.dzcdn\.net/[!-~]+")
_GUESTS = re.compile(r"\s*(?:[;/,&]|\b(?:feat|ft|featuring|with)\b\.?)\s*", re.IGNORECASE)

T = TypeVar("T")


class _Named(NamedTuple):
    """A genre or an artist, by Deezer's number."""

    number: int
    name: str


class Deezer:
    """Tracks by artists like the song's, or charts of each genre; also playlists.

    Parameters
    ----------
    settings : RecommendSettings
    spotify : Client, optional
        Looks the tracks up on Spotify; without one, they get links to a search there.
    """

    info: ProviderInfo = DEEZER

    def __init__(self, settings: RecommendSettings, spotify: Client | None = None) -> None:
        self._settings = settings
        self._spotify = spotify
        self._circuit = Circuit()
        self._cache: Cache[tuple[list[Any], bool]] = Cache(settings.recommend_cache_seconds)

    def find(self, wish: Wish) -> Section:
        """Find one track per artist; if preferred, playlists for three items in four."""
        notices: list[str] = []
        picker = Picker()
        label = "Deezer charts"
        kind = self.info.kind
        with Connection(
            "Deezer", self._settings.service_timeout, self._settings.recommend_time_limit
        ) as connection:
            artist = self._artist(connection, wish.artist) if wish.artist else None
            playlists = []
            if wish.playlists_first:
                playlists = self._playlists(connection, wish, artist, picker)
                wish = replace(wish, limit=wish.limit - len(playlists))
            if artist:
                label, kind = f"Deezer: like {artist.name}", "artist"
                items = picker.pick(self._like(connection, artist, wish.title), wish.limit)
                if len(items) < wish.limit and not picker.failure:
                    notices.append(shortage("Deezer", len(items), wish.limit, artist.name))
            else:
                if wish.artist:
                    notices.append(f"Deezer does not know {wish.artist}; these are from its charts")
                items = self._of_genres(connection, wish, picker, notices)
            items = playlists + items
            notices += picker.reasons(items)
            items = with_spotify_links(items, self._spotify, connection.remaining)
        section = Section.of(self.info, items, notices)
        return replace(section, label=label, kind=kind)

    def _artist(self, connection: Connection, name: str) -> _Named | None:
        """Find the artist of exactly this name, or the first of several artists."""
        for query in dict.fromkeys((name, _GUESTS.split(name, maxsplit=1)[0])):
            if not same_name(query):
                continue
            for page in self._pages(connection, "search/artist", _named, q=query):
                for artist in page:
                    if same_name(artist.name) == same_name(query):
                        return artist
                break  # Deezer lists the best matches first
        return None

    def _like(
        self, connection: Connection, artist: _Named, title: str | None
    ) -> Iterator[list[Item]]:
        """Yield tracks of the artist's radio, then top tracks of related artists."""
        for page in chain(
            self._tracks(connection, f"artist/{artist.number}/radio", query="artist radio"),
            self._of_related(connection, artist),
        ):
            yield [
                item for item in page if title is None or same_name(item.name) != same_name(title)
            ]

    def _of_related(self, connection: Connection, artist: _Named) -> Iterator[list[Item]]:
        path = f"artist/{artist.number}/related"
        related = chain.from_iterable(self._pages(connection, path, _named))
        for other in islice(related, _MOST_RELATED):
            top = f"artist/{other.number}/top"
            tracks = self._tracks(connection, top, query="related artist", page=_TOP)
            yield from islice(tracks, 1)

    def _playlists(
        self, connection: Connection, wish: Wish, artist: _Named | None, picker: Picker
    ) -> list[Item]:
        """Find playlists by the name of the artist, and then of each genre."""
        found = []
        for genre, count in quotas(wish.weights, wish.limit - wish.limit // 4).items():
            queries = {artist.name: ""} if artist else {}
            pages = (
                [replace(item, genre=found_for, query=query) for item in page]
                for query, found_for in {**queries, spoken(genre): genre}.items()
                for page in self._pages(connection, "search/playlist", _playlist, q=query)
            )
            found.append(picker.pick(pages, count))
        return interleave(found)

    def _of_genres(
        self, connection: Connection, wish: Wish, picker: Picker, notices: list[str]
    ) -> list[Item]:
        tracks: list[list[Item]] = []
        for genre, count in quotas(wish.weights, wish.limit).items():
            found = picker.pick(self._chart(connection, genre), count)
            if not found and not picker.failure:
                word = spoken(genre)
                pages = self._tracks(connection, "search/track", genre, word, q=word)
                found = picker.pick(pages, count)
                if found:
                    notices.append(by_word(genre))
            tracks.append(found)
            if len(found) < count and not picker.failure:
                notices.append(shortage("Deezer", len(found), count, genre))
        return interleave(tracks)

    def _chart(self, connection: Connection, genre: str) -> Iterator[list[Item]]:
        """Yield the pages of a genre's chart, if it has one."""
        genres = chain.from_iterable(self._pages(connection, "genre", _named))
        for number, name in genres:
            # "Rap/Hip Hop" is one chart of two names.
            if same_name(spoken(genre)) in map(same_name, name.split("/")):
                yield from self._tracks(
                    connection, f"chart/{number}/tracks", genre, f"chart: {name}"
                )
                return

    def _tracks(
        self,
        connection: Connection,
        path: str,
        genre: str = "",
        query: str = "",
        *,
        page: int = _PAGE,
        **params: str,
    ) -> Iterator[list[Item]]:
        for items in self._pages(connection, path, _track, page=page, **params):
            yield [replace(item, genre=genre, query=query) for item in items]

    def _pages(
        self,
        connection: Connection,
        path: str,
        read: Callable[[dict[str, Any]], T | None],
        *,
        page: int = _PAGE,
        **params: str,
    ) -> Iterator[list[T]]:
        """Yield the pages of a list, leaving out records that `read` returns None for."""
        for index in range(0, _MOST_PAGES * page, page):
            key = (path, *params.items(), page, index)
            answer = self._cache.get(key)
            if answer is None:
                paging = {"limit": str(page), "index": str(index)}
                body = self._get(connection, path, params | paging)
                read_ones = map(read, objects(body, "data"))
                answer = [record for record in read_ones if record], bool(field(body, "next"))
                self._cache.put(key, answer)
            records, more = answer
            yield records
            if not more:
                return

    def _get(self, connection: Connection, path: str, params: dict[str, str]) -> Any:
        """Return an answer whose ``data`` is a list."""
        for _ in range(_TRIES):
            self._circuit.wait(min(_SHORT_WAIT, connection.remaining))
            answer = connection.send(
                "GET",
                f"{self._settings.deezer_api_url}/{path}",
                params=params,
                # Deezer translates the names of genres.
                headers={"Accept-Language": "en"},
            )
            code = field(answer.body, "error", "code")
            if answer.status == 429 or code in (_QUOTA, _BUSY):
                seconds = _UNKNOWN_WAIT if answer.retry_after is None else answer.retry_after
                self._circuit.open(seconds, "Deezer asks for a pause after too many requests")
            elif code == _NO_DATA:
                return {"data": []}
            elif answer.status == 200 and isinstance(field(answer.body, "data"), list):
                return answer.body
            elif answer.status in (401, 403):
                raise RecommendationError(
                    f"Deezer refuses to answer ({answer.status}); it may not serve your country"
                )
            else:
                raise connection.strange_answer()
        self._circuit.wait(0)
        raise RecommendationError("Deezer keeps refusing requests; try again later")


def _named(record: dict[str, Any]) -> _Named | None:
    number, name = record.get("id"), text(record, "name")
    return _Named(number, name) if isinstance(number, int) and name else None


def _playlist(record: dict[str, Any]) -> Item | None:
    """Read a playlist; return None if it lacks a title, a link or playable tracks."""
    title, url = text(record, "title"), link(record, "link")
    if not title or not url or record.get("public") is False or record.get("nb_tracks") == 0:
        return None
    return Item("playlist", title, (), url, link(record, "picture_medium"), genre="", query="")


def _track(record: dict[str, Any]) -> Item | None:
    """Read a track; return None if it has no title, no link, or cannot be played."""
    title, url, number = text(record, "title"), link(record, "link"), record.get("id")
    if not url and isinstance(number, int):
        url = f"https://www.deezer.com/track/{number}"
    if not title or not url or record.get("readable") is False:
        return None
    artist = text(record, "artist", "name")
    preview = link(record, "preview")
    return Item(
        "track",
        title,
        (artist,) if artist else (),
        url,
        link(record, "album", "cover_medium"),
        genre="",
        query="",
        preview_url=preview if preview and _PREVIEW.fullmatch(preview) else None,
    )
