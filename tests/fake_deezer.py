"""A Deezer of our own on loopback, written from the public description of its API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fake_spotify import Reply, Request, Service

GENRES = {
    0: "All", 132: "Pop", 116: "Rap/Hip Hop", 122: "Reggaeton", 152: "Rock", 144: "Reggae",
    129: "Jazz", 84: "Country", 98: "Classical", 464: "Metal", 169: "Soul & Funk", 153: "Blues",
}  # fmt: skip

QUOTA = {"error": {"type": "Exception", "message": "Quota limit exceeded", "code": 4}}
NO_DATA = {"error": {"type": "DataException", "message": "no data", "code": 800}}


class FakeDeezer(Service):
    """Genres, charts, artists and searches; errors come with status 200.

    Attributes
    ----------
    artists : dict of int to str
        Artists by number, in the order in which a search lists them.
    related : dict of int to list of int
        Artists that are like one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.artists = {
            1: "Miles Davis Tribute", 2: "Miles Davis", 3: "John Coltrane", 4: "Bill Evans",
            5: "Simon & Garfunkel",
        }  # fmt: skip
        self.related: dict[int, list[int]] = {2: [3, 4]}

    def answer(self, request: Request) -> Reply:
        match request.path.strip("/").split("/"):
            case ["genre"]:
                return Reply(200, {"data": [{"id": n, "name": name} for n, name in GENRES.items()]})
            case ["chart", number, "tracks"] if number.isdecimal():
                genre = GENRES.get(int(number))
                return self._list(request, genre) if genre else Reply(200, NO_DATA)
            case ["search", "artist"]:
                words = request.params["q"].casefold()
                found = [n for n, name in self.artists.items() if words in name.casefold()]
                return Reply(200, {"data": [self._artist(number) for number in found]})
            case ["artist", number, "radio"]:
                return Reply(200, {"data": self._radio(int(number))})
            case ["artist", number, "related"]:
                related = self.related.get(int(number), [])
                return Reply(200, {"data": [self._artist(number) for number in related]})
            case ["artist", number, "top"]:
                name = self.artists[int(number)]
                count = int(request.params["limit"])
                tracks = [track(f"{name} top", n, name) for n in range(count)]
                return Reply(200, {"data": tracks})
            case ["search", "playlist"]:
                return self._list(request, request.params["q"], playlist)
            case ["search", "track"]:
                return self._list(request, f"found {request.params['q']}")
        return Reply(200, {"error": {"type": "InvalidQueryException", "code": 600}})

    def _artist(self, number: int) -> dict[str, Any]:
        return {"type": "artist", "id": number, "name": self.artists[number], "radio": True}

    def _radio(self, number: int) -> list[dict[str, Any]]:
        """Return one track of the artist and four of two others."""
        name = self.artists[number]
        return [track(f"{name} radio", n, f"{name} like {n // 2}" if n else name) for n in range(5)]

    def _list(
        self, request: Request, words: str, make: Callable[[str, int], dict[str, Any]] | None = None
    ) -> Reply:
        found = [(make or track)(words, number) for number in range(70)]
        index, limit = int(request.params["index"]), int(request.params["limit"])
        body: dict[str, Any] = {"data": found[index : index + limit], "total": len(found)}
        if index + limit < len(found):
            body["next"] = f"{self.url}{request.path}?index={index + limit}"
        return Reply(200, body)


def playlist(words: str, number: int) -> dict[str, Any]:
    """Return a playlist as a search lists it."""
    key = sum(map(ord, words)) * 1000 + number
    return {
        "type": "playlist", "id": key, "title": f"{words} playlist {number}", "public": True,
        "nb_tracks": 40, "link": f"https://www.deezer.com/playlist/{key}",
        "picture_medium": f"https://cdn-images.dzcdn.net/images/playlist/{key}/250x250.jpg",
        "user": {"id": 1, "name": "Somebody"},
    }  # fmt: skip


def track(words: str, number: int, artist: str = "") -> dict[str, Any]:
    """Return a track as charts and searches list it; each artist has two in a row."""
    key = sum(map(ord, words)) * 1000 + number
    return {
        "type": "track", "id": key, "title": f"{words} song {number}", "readable": True,
        "link": f"https://www.deezer.com/track/{key}", "duration": 200, "position": number + 1,
        "preview": f"https://cdnt-preview.dzcdn.net/api/1/1/{key}.mp3?hdnea=exp=1~acl=/*",
        "artist": {"id": number // 2, "name": artist or f"{words} artist {number // 2}"},
        "album": {"cover_medium": f"https://cdn-images.dzcdn.net/images/cover/{key}/250x250.jpg"},
    }  # fmt: skip
