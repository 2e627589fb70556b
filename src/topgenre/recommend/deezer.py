"""Deezer's charts for a mixture of genres, from its public API, which asks for no key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from topgenre.errors import RecommendationError
from topgenre.recommend.cache import Cache
from topgenre.recommend.circuit import Circuit
from topgenre.recommend.fields import field, link, objects, text
from topgenre.recommend.items import DEEZER, Item, ProviderInfo, Section, Wish
from topgenre.recommend.mixture import Picker, interleave, quotas, spoken
from topgenre.recommend.settings import RecommendSettings
from topgenre.recommend.web_service import Connection

_PAGE = 50  # items
_MOST_PAGES = 4  # of one list
_SHORT_WAIT = 5.0  # seconds that are worth waiting for; Deezer counts requests in 5 s
_UNKNOWN_WAIT = 5.0  # seconds, as Deezer does not say for how long it refuses requests
_TRIES = 3
_QUOTA, _BUSY, _NO_DATA = 4, 700, 800  # codes of errors, which come with status 200


class _Chart(NamedTuple):
    number: int
    title: str


class Deezer:
    """The tracks that are played most now, shared out by the weights of the genres.

    Parameters
    ----------
    settings : RecommendSettings
    """

    info: ProviderInfo = DEEZER

    def __init__(self, settings: RecommendSettings) -> None:
        self._settings = settings
        self._circuit = Circuit()
        self._charts: Cache[dict[str, _Chart]] = Cache(settings.recommend_cache_seconds)
        self._lists: Cache[tuple[list[Item], bool]] = Cache(settings.recommend_cache_seconds)

    def find(self, wish: Wish) -> Section:
        """Find one track of an artist at most, from the chart of each genre."""
        settings = self._settings
        tracks: list[list[Item]] = []
        notices: list[str] = []
        picker = Picker()
        with Connection(
            "Deezer", settings.service_timeout, settings.recommend_time_limit
        ) as connection:
            for genre, count in quotas(wish.weights, wish.limit).items():
                found = picker.pick(self._chart(connection, genre), count)
                if not found and not picker.failure:
                    found = picker.pick(self._search(connection, genre), count)
                    if found:
                        notices.append(
                            f"Deezer has no chart for {genre}; a search for its name found these"
                        )
                tracks.append(found)
                if len(found) < count and not picker.failure:
                    notices.append(f"Deezer found {len(found) or 'none'} of {count} for {genre}")
        items = interleave(tracks)
        return Section.of(self.info, items, (*notices, *picker.reasons(items)))

    def _chart(self, connection: Connection, genre: str) -> Iterator[list[Item]]:
        """Yield the pages of a genre's chart, if it has one."""
        charts = self._charts.get("charts")
        if charts is None:
            charts = _charts(self._get(connection, "genre", {}))
            self._charts.put("charts", charts)
        chart = charts.get(_key(spoken(genre)))
        if chart:
            path = f"chart/{chart.number}/tracks"
            yield from self._pages(connection, path, {}, genre, f"chart: {chart.title}")

    def _search(self, connection: Connection, genre: str) -> Iterator[list[Item]]:
        """Yield the pages of a search for the genre's name."""
        query = spoken(genre)
        return self._pages(connection, "search/track", {"q": query}, genre, query)

    def _pages(
        self, connection: Connection, path: str, params: dict[str, str], genre: str, query: str
    ) -> Iterator[list[Item]]:
        for index in range(0, _MOST_PAGES * _PAGE, _PAGE):
            # With the genre, since that is written into the items.
            key = (path, query, genre, index)
            page = self._lists.get(key)
            if page is None:
                paging = {"limit": str(_PAGE), "index": str(index)}
                body = self._get(connection, path, params | paging)
                found = (_item(record, genre, query) for record in objects(body, "data"))
                page = [item for item in found if item], bool(field(body, "next"))
                self._lists.put(key, page)
            items, more = page
            yield items
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
                # The names of genres come in the language that is asked for.
                headers={"Accept-Language": "en"},
            )
            code = field(answer.body, "error", "code")
            if answer.status == 429 or code in (_QUOTA, _BUSY):
                seconds = _UNKNOWN_WAIT if answer.retry_after is None else answer.retry_after
                self._circuit.open(seconds, "Deezer asks for a pause, as it got too many requests")
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


def _charts(body: object) -> dict[str, _Chart]:
    """Read which chart belongs to which genre, under every name of it."""
    charts: dict[str, _Chart] = {}
    for record in objects(body, "data"):
        title, number = text(record, "name"), record.get("id")
        if isinstance(number, int):
            # "Rap/Hip Hop" is one chart of two names.
            for part in title.split("/"):
                charts.setdefault(_key(part), _Chart(number, title))
    return charts


def _key(genre: str) -> str:
    """Return what the spellings of a genre have in common."""
    return re.sub(r"[\W_]+", "", genre.casefold())


def _item(record: dict[str, Any], genre: str, query: str) -> Item | None:
    """Read a track; None for what cannot be named, linked to or played."""
    title, url, number = text(record, "title"), link(record, "link"), record.get("id")
    if not url and isinstance(number, int):
        url = f"https://www.deezer.com/track/{number}"
    if not title or not url or record.get("readable") is False:
        return None
    artist = text(record, "artist", "name")
    artwork = link(record, "album", "cover_medium")
    return Item("track", title, (artist,) if artist else (), url, artwork, genre, query)
