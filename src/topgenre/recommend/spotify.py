"""Search Spotify, which is all that its Web API still offers to a new app."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import SecretStr

from topgenre.errors import RecommendationError
from topgenre.recommend.cache import Cache
from topgenre.recommend.circuit import Circuit
from topgenre.recommend.fields import field, link, objects, text
from topgenre.recommend.items import Item
from topgenre.recommend.settings import RecommendSettings
from topgenre.recommend.web_service import Answer, Connection

PAGE = 10  # the most that Spotify lets one search return

_LAST_OFFSET = 1000  # the highest that the search accepts
_SHORT_WAIT = 5.0  # seconds that are worth waiting for
_UNKNOWN_WAIT = 60.0  # seconds, where Spotify refuses requests without saying for how long
_EXPIRY_MARGIN = 30.0  # seconds before its end at which a token is renewed
_SMALLEST_PICTURE = 200  # pixels that still look good in a list
_TRIES = 4  # of one search, with all waiting and renewing

Kind = Literal["track", "playlist"]


class Page(NamedTuple):
    """Hold a page of search results, and whether there is a next one."""

    items: tuple[Item, ...]
    more: bool


class Client:
    """``GET /search`` with an app's own credentials; several threads may use it.

    Parameters
    ----------
    settings : RecommendSettings
        With both credentials.
    """

    def __init__(self, settings: RecommendSettings) -> None:
        assert settings.spotify_client_id
        assert settings.spotify_client_secret
        secret = settings.spotify_client_secret.get_secret_value()
        pair = f"{settings.spotify_client_id}:{secret}".encode()
        self._credentials = SecretStr("Basic " + base64.b64encode(pair).decode())
        self._settings = settings
        self._circuit = Circuit()
        self._pages: Cache[Page] = Cache(settings.recommend_cache_seconds)
        self._token_lock = threading.Lock()
        self._token: SecretStr | None = None
        self._token_ends = 0.0

    def connect(self, time_limit: float | None = None) -> Connection:
        """Open a connection for the searches of one list.

        Parameters
        ----------
        time_limit : float, optional
            Seconds for all of them, by default as the settings say.
        """
        settings = self._settings
        limit = settings.recommend_time_limit if time_limit is None else time_limit
        return Connection("Spotify", settings.service_timeout, limit)

    def search(
        self, connection: Connection, query: str, kind: Kind, genre: str
    ) -> Iterator[tuple[Item, ...]]:
        """Yield the pages of results of a query.

        Parameters
        ----------
        connection : Connection
        query : str
        kind : {"track", "playlist"}
        genre : str
            The genre that the items are found for.

        Raises
        ------
        RecommendationError
            If Spotify cannot or will not answer.
        """
        for offset in range(0, _LAST_OFFSET, PAGE):
            # With the genre, since that is written into the items.
            key = (query, kind, genre, offset)
            page = self._pages.get(key)
            if page is None:
                params: dict[str, str | int] = {
                    "q": query,
                    "type": kind,
                    "limit": PAGE,
                    "offset": offset,
                    "market": self._settings.spotify_market,
                }
                answer = self._get(connection, params)
                # Null means that nothing was found; a missing field is an error.
                if not isinstance(answer.body, dict) or f"{kind}s" not in answer.body:
                    raise connection.strange_answer()
                page = _page(answer.body[f"{kind}s"], query, kind, genre)
                self._pages.put(key, page)
            yield page.items
            if not page.more:
                return

    def _get(self, connection: Connection, params: dict[str, str | int]) -> Answer:
        """Search, renewing the token or waiting if that helps."""
        renewed = False
        for _ in range(_TRIES):
            self._circuit.wait(min(_SHORT_WAIT, connection.remaining))
            token = self._valid_token(connection)
            if token is None:
                continue
            answer = connection.send(
                "GET",
                f"{self._settings.spotify_api_url}/search",
                params=params,
                headers={"Authorization": f"Bearer {token.get_secret_value()}"},
            )
            if answer.status == 200:
                return answer
            if answer.status == 401 and not renewed:
                renewed = True
                self._forget(token)
            elif answer.status == 429:
                self._pause(answer)
            else:
                raise _refusal(connection, answer)
        self._circuit.wait(0)
        raise RecommendationError("Spotify keeps refusing requests; try again later")

    def _valid_token(self, connection: Connection) -> SecretStr | None:
        """Return a token, or None if Spotify asks for a pause."""
        # One thread renews the token, the others wait for it.
        with self._token_lock:
            if self._token is None or time.monotonic() >= self._token_ends:
                self._token = None
                answer = connection.send(
                    "POST",
                    self._settings.spotify_token_url,
                    data={"grant_type": "client_credentials"},
                    headers={"Authorization": self._credentials.get_secret_value()},
                )
                if answer.status == 429:
                    self._pause(answer)
                    return None
                self._token, seconds = _token(connection, answer)
                self._token_ends = time.monotonic() + seconds
            return self._token

    def _forget(self, token: SecretStr) -> None:
        with self._token_lock:
            # Not the newer one that another thread may have got meanwhile.
            if self._token is token:
                self._token = None

    def _pause(self, answer: Answer) -> None:
        seconds = _UNKNOWN_WAIT if answer.retry_after is None else answer.retry_after
        if "QUOTA_EXCEEDED" in answer.text:
            self._circuit.open(seconds, "Spotify's quota for this app is used up")
        else:
            self._circuit.open(seconds, "Spotify asks for a pause after too many requests")


def _token(connection: Connection, answer: Answer) -> tuple[SecretStr, float]:
    """Return a new token and for how many seconds it may be used."""
    if answer.status in (400, 401):
        raise RecommendationError(
            "Spotify does not accept the credentials; check TOPGENRE_SPOTIFY_CLIENT_ID "
            "and TOPGENRE_SPOTIFY_CLIENT_SECRET"
        )
    if answer.status == 404:
        raise RecommendationError(
            "Spotify does not issue tokens at this address; check TOPGENRE_SPOTIFY_TOKEN_URL"
        )
    if answer.status != 200:
        raise _refusal(connection, answer)
    token, seconds = field(answer.body, "access_token"), field(answer.body, "expires_in")
    # Checked, as an error about a header with other characters would quote it.
    if not isinstance(token, str) or not re.fullmatch("[!-~]{1,4096}", token):
        raise connection.strange_answer()
    life = float(seconds) if isinstance(seconds, int | float) else 0.0
    return SecretStr(token), max(life - _EXPIRY_MARGIN, 1.0)


def _refusal(connection: Connection, answer: Answer) -> RecommendationError:
    """Explain a refusal, never in Spotify's own words, which may contain anything."""
    said = answer.text.lower()
    if answer.status == 403 and "premium" in said:
        why = "Spotify refuses this app: its owner needs Premium; renew it, or use another app"
    elif answer.status == 403:
        why = "Spotify refuses this app (403); look it up in Spotify's developer dashboard"
    elif answer.status == 401:
        why = "Spotify does not accept its own token (401); try again later"
    elif answer.status == 404:
        why = "Spotify cannot be searched at this address; check TOPGENRE_SPOTIFY_API_URL"
    elif answer.status == 400 and "market" in said:
        why = "Spotify does not know this market; check TOPGENRE_SPOTIFY_MARKET"
    elif answer.status == 400 and "limit" in said:
        why = "Spotify rejects the size of the request (Invalid limit); update topgenre"
    elif answer.status == 400:
        why = "Spotify rejects the request (400); update topgenre"
    else:
        return connection.strange_answer()
    return RecommendationError(why)


def _page(body: object, query: str, kind: Kind, genre: str) -> Page:
    items = (_item(record, query, kind, genre) for record in objects(body, "items"))
    more = bool(field(body, "items")) and isinstance(field(body, "next"), str)
    return Page(tuple(item for item in items if item), more)


def _item(record: dict[str, object], query: str, kind: Kind, genre: str) -> Item | None:
    """Read an item; return None if it has no name, no link, or cannot be played."""
    name, url = text(record, "name"), _link(record, kind)
    if not name or not url or record.get("is_playable") is False or record.get("restrictions"):
        return None
    artists = [text(artist, "name") for artist in objects(record, "artists")]
    album = record.get("album") if kind == "track" else record
    artwork = _picture(objects(album, "images"))
    return Item(kind, name, tuple(filter(None, artists)), url, artwork, genre, query)


def _link(record: dict[str, object], kind: Kind) -> str | None:
    url = link(record, "external_urls", "spotify")
    if url:
        return url
    number = text(record, "id")
    known = re.fullmatch("[0-9A-Za-z]{1,64}", number)
    return f"https://open.spotify.com/{kind}/{number}" if known else None


def _picture(images: list[dict[str, object]]) -> str | None:
    """Return the smallest picture that is large enough, or of unknown size."""

    def rank(image: dict[str, object]) -> tuple[bool, float]:
        width = image.get("width")
        size = float(width) if isinstance(width, int | float) else float(_SMALLEST_PICTURE)
        return size < _SMALLEST_PICTURE, abs(size - _SMALLEST_PICTURE)

    linked = [image for image in images if link(image, "url")]
    return link(min(linked, key=rank), "url") if linked else None
