"""Recommendations: mixtures, settings, Spotify and Deezer, and services that misbehave."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen.flac import FLAC

import fake_deezer
import signals
from fake_deezer import FakeDeezer
from fake_spotify import (
    CLIENT_ID,
    CLIENT_SECRET,
    CREDENTIALS,
    PREMIUM,
    SECRETS,
    TOKEN,
    FakeSpotify,
    Reply,
    Request,
    playlist,
    track,
)
from topgenre.demo import write_audio
from topgenre.errors import OutputError, RecommendationError
from topgenre.recommend import (
    Item,
    ProviderInfo,
    Section,
    Wish,
    available,
    recommend,
    registry,
)
from topgenre.recommend.items import parse_weight
from topgenre.recommend.mixture import interleave, quotas
from topgenre.recommend.playlist import save
from topgenre.recommend.settings import load
from topgenre.result import GenreProbability

pytestmark = pytest.mark.usefixtures("nothing_set")

MIXTURE = [
    GenreProbability("rock", 0.6),
    GenreProbability("jazz", 0.3),
    GenreProbability("disco", 0.1),
]
ROCK = [GenreProbability("rock", 1.0)]
SEARCH, TOKENS = FakeSpotify.search_path, FakeSpotify.token_path


def one(
    weights: list[GenreProbability] = ROCK, provider: str = "spotify", limit: int = 10
) -> Section:
    [section] = recommend(weights, limit=limit, providers=[provider])
    assert section.provider == provider
    return section


def why(section: Section) -> str:
    """Return the one line on why there is nothing."""
    assert not section.items
    [notice] = section.notices
    assert "\n" not in notice
    return notice


def genres(section: Section) -> Counter[str]:
    return Counter(item.genre for item in section.items)


class TestWrittenWeights:
    @pytest.mark.parametrize(
        ("text", "genre", "weight"),
        [
            ("jazz", "jazz", 1.0),
            (" Hip Hop : 0.3", "hip hop", 0.3),
            ("drum:bass:1e6", "drum:bass", 1e6),
            ("x" * 100, "x" * 100, 1.0),
        ],
    )
    def test_a_genre_and_its_weight(self, text: str, genre: str, weight: float) -> None:
        assert parse_weight(text) == GenreProbability(genre, weight)

    @pytest.mark.parametrize(
        "text",
        ["", " ", ":0.5", "jazz:", "jazz:0", "jazz:-1", "jazz:nan", "jazz:inf", "jazz:1000001",
         "jazz:much", "ja\nzz", "ja\0zz:0.5", "x" * 101],
    )  # fmt: skip
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"such as jazz:0\.3") as caught:
            parse_weight(text)
        assert str(caught.value).isprintable()  # and so one line


class TestMixture:
    @given(
        st.dictionaries(st.text(), st.floats(1e-300, 1e300), min_size=1, max_size=20),
        st.integers(1, 200),
    )
    def test_places_are_shared_out_by_largest_remainders(
        self, weights: dict[str, float], limit: int
    ) -> None:
        ranked = [GenreProbability(*pair) for pair in weights.items()]
        places = quotas(ranked, limit)
        assert sum(places.values()) == limit
        assert list(places) == [genre for genre in weights if genre in places]
        total = sum(map(Fraction, weights.values()))
        shares = {genre: Fraction(weight) * limit / total for genre, weight in weights.items()}
        given = {genre: places.get(genre, 0) for genre in weights}
        assert all(abs(given[genre] - shares[genre]) < 1 for genre in weights)
        rounded_up = [shares[g] % 1 for g in weights if given[g] > shares[g]]
        rounded_down = [shares[g] % 1 for g in weights if given[g] <= shares[g]]
        assert max(rounded_down, default=0) <= min(rounded_up, default=1)

    def test_known_mixtures(self) -> None:
        assert quotas(MIXTURE, 10) == {"rock": 6, "jazz": 3, "disco": 1}
        assert quotas(MIXTURE, 1) == {"rock": 1}
        thirds = [GenreProbability(genre, 1 / 3) for genre in "abc"]
        assert quotas(thirds, 4) == {"a": 2, "b": 1, "c": 1}

    @given(st.lists(st.integers(0, 30), max_size=6))
    def test_every_beginning_is_mixed(self, sizes: list[int]) -> None:
        mixed = interleave(
            [[(number, i) for i in range(size)] for number, size in enumerate(sizes)]
        )
        assert sorted(mixed) == [(n, i) for n, size in enumerate(sizes) for i in range(size)]
        for length in range(len(mixed)):
            counts = Counter(number for number, _ in mixed[:length])
            for number, size in enumerate(sizes):
                assert abs(counts[number] - length * size / len(mixed)) < max(2, len(sizes))
        for number in range(len(sizes)):
            own = [i for n, i in mixed if n == number]
            assert own == sorted(own)

    @given(
        st.lists(
            st.tuples(st.sampled_from("abcd"), st.floats(0, 1e308)), min_size=1, max_size=8
        ).filter(lambda pairs: any(weight > 0 for _, weight in pairs)),
        st.integers(1, 50),
    )
    def test_weights_of_any_sum_make_a_mixture(
        self, pairs: list[tuple[str, float]], limit: int
    ) -> None:
        try:
            wish = Wish.of([GenreProbability(*pair) for pair in pairs], limit)
        except ValueError:
            sums = [sum(w for g, w in pairs if g == genre) for genre in "abcd"]
            assert float("inf") in sums
            return
        assert sum(share for _, share in wish.weights) == pytest.approx(1)
        assert len({genre for genre, _ in wish.weights}) == len(wish.weights)
        assert [share for _, share in wish.weights] == sorted(
            (share for _, share in wish.weights), reverse=True
        )

    @pytest.mark.parametrize(
        "weights", [[], [("rock", 0.0)], [("rock", -1.0)], [("rock", float("nan"))]]
    )
    def test_weights_that_make_no_mixture(self, weights: list[tuple[str, float]]) -> None:
        with pytest.raises(ValueError, match="weight"):
            recommend([GenreProbability(*pair) for pair in weights])

    def test_arguments_that_make_no_sense(self) -> None:
        with pytest.raises(ValueError, match="limit"):
            recommend(ROCK, limit=0)
        with pytest.raises(ValueError, match="tidal"):
            recommend(ROCK, providers=["tidal"])


class TestChoice:
    def test_search_links_are_the_default_and_need_no_network(self) -> None:
        [section] = recommend([*MIXTURE, GenreProbability("hiphop", 0.5)])
        assert (section.provider, section.label, section.kind) == (
            "search-links", "Search on Spotify", "search",
        )  # fmt: skip
        assert [item.genre for item in section.items] == ["rock", "hiphop", "jazz", "disco"]
        assert section.items[1].to_dict() == {
            "kind": "search", "name": "Search Spotify for hip hop playlists", "artists": [],
            "url": "https://open.spotify.com/search/hip%20hop/playlists", "artwork_url": None,
            "genre": "hiphop", "query": "hip hop", "preview_url": None, "spotify_url": None,
        }  # fmt: skip
        assert section.notices == (registry.CONNECT_SPOTIFY,)
        assert [info.name for info in available()] == ["search-links", "deezer"]

    def test_a_genre_cannot_leave_its_place_in_an_address(self) -> None:
        [section] = recommend([GenreProbability('../a?b#c"d', 1.0)])
        assert section.items[0].url == (
            "https://open.spotify.com/search/..%2Fa%3Fb%23c%20d/playlists"
        )

    def test_spotify_is_the_default_once_it_is_set_up(self, spotify: FakeSpotify) -> None:
        [section] = recommend(ROCK)
        assert (section.provider, section.label, section.kind) == ("spotify", "Spotify", "tracks")
        assert [info.to_dict() for info in available()] == [
            {"name": "spotify", "label": "Spotify", "kind": "tracks"},
            {"name": "search-links", "label": "Search on Spotify", "kind": "search"},
            {"name": "deezer", "label": "Deezer", "kind": "charts"},
        ]

    def test_providers_are_never_mixed(self, spotify: FakeSpotify, deezer: FakeDeezer) -> None:
        names = ["deezer", "search-links", "spotify", "deezer"]
        sections = recommend(MIXTURE, providers=names)
        assert [section.provider for section in sections] == names[:3]
        hosts = [{item.url.split("/")[2] for item in section.items} for section in sections]
        assert hosts == [{"www.deezer.com"}, {"open.spotify.com"}, {"open.spotify.com"}]

    def test_half_of_the_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOPGENRE_SPOTIFY_CLIENT_ID", CLIENT_ID)
        monkeypatch.setenv("TOPGENRE_SPOTIFY_CLIENT_SECRET", "  ")
        [section] = recommend(ROCK)
        assert section.provider == "search-links"
        assert section.items
        assert "TOPGENRE_SPOTIFY_CLIENT_SECRET is not set" in section.notices[0]
        assert "TOPGENRE_SPOTIFY_CLIENT_SECRET" in why(one())

    def test_no_credentials(self) -> None:
        assert "TOPGENRE_SPOTIFY_CLIENT_ID and TOPGENRE_SPOTIFY_CLIENT_SECRET" in why(one())

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SPOTIFY_MARKET", "Germany"),
            ("SERVICE_TIMEOUT", "0"),
            ("SERVICE_TIMEOUT", "soon"),
            ("RECOMMEND_TIME_LIMIT", "inf"),
            ("RECOMMEND_CACHE_SECONDS", "86400"),
            ("DEEZER_API_URL", "api.deezer.com"),
            ("SPOTIFY_API_URL", "file:///etc/passwd"),
            ("SPOTIFY_TOKEN_URL", "https://user:password@example.com"),
        ],
    )
    def test_a_setting_that_makes_no_sense(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(f"TOPGENRE_{name}", value)
        for provider in ("spotify", "deezer"):
            assert why(one(provider=provider)).startswith(f"TOPGENRE_{name}: ")
        [section] = recommend(ROCK)
        assert section.provider == "search-links"
        assert f"TOPGENRE_{name}" in section.notices[0]
        assert "password" not in section.notices[0]
        assert [info.name for info in available()] == ["search-links"]

    def test_a_provider_of_ones_own(self) -> None:
        class Library:
            info = ProviderInfo("library", "Your library", "library")

            def find(self, wish: Wish) -> Section:
                assert wish.source == "song.mp3"
                item = Item("track", "near", (), "file:///near.mp3", None, "rock", "near song.mp3")
                return Section.of(self.info, [item] * wish.limit)

        class Broken(Library):
            def find(self, wish: Wish) -> Section:
                raise KeyError(wish.limit)

        class Empty(Library):
            def find(self, wish: Wish) -> Section:
                raise RecommendationError("no song has been scanned; run topgenre scan")

        found, broken, empty, links = recommend(
            ROCK, limit=2, source="song.mp3",
            providers=[Library(), Broken(), Empty(), "search-links"],
        )  # fmt: skip
        assert len(found.items) == 2
        assert "KeyError" in why(broken)
        assert why(empty).startswith("no song has been scanned")
        assert links.items

    def test_an_http_client_is_imported_for_network_providers_only(self) -> None:
        code = (
            "import sys; from topgenre.recommend import recommend, available;"
            "from topgenre.result import GenreProbability as G; import topgenre.cli.app;"
            "assert 'pydantic_settings' not in sys.modules;"
            "recommend([G('rock', 1.0)]); available(); assert 'httpx' not in sys.modules;"
            "recommend([G('rock', 1.0)], providers=['deezer']); assert 'httpx' in sys.modules"
        )
        environment = os.environ | {"TOPGENRE_DEEZER_API_URL": closed_port()}
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)


class TestDotenv:
    def test_credentials_and_market(
        self, spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("TOPGENRE_SPOTIFY_CLIENT_ID")
        monkeypatch.delenv("TOPGENRE_SPOTIFY_CLIENT_SECRET")
        Path(".env").write_text(
            f"# an app\nTOPGENRE_SPOTIFY_CLIENT_ID={CLIENT_ID}\nOTHER=1\n"
            f"export TOPGENRE_SPOTIFY_CLIENT_SECRET='{CLIENT_SECRET}'\n"
            "TOPGENRE_SPOTIFY_MARKET=de\n",
            encoding="utf-8",
        )
        assert one().items
        assert {request.params["market"] for request in spotify.asked(SEARCH)} == {"DE"}
        assert "TOPGENRE_SPOTIFY_CLIENT_SECRET" not in os.environ

    def test_the_environment_wins(
        self, spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path(".env").write_text(
            "TOPGENRE_SPOTIFY_CLIENT_ID=x\nTOPGENRE_SPOTIFY_MARKET=FR\n", encoding="utf-8"
        )
        monkeypatch.setenv("TOPGENRE_SPOTIFY_MARKET", "IT")
        assert one().items
        assert spotify.asked(SEARCH)[0].params["market"] == "IT"

    def test_no_address_is_taken_from_it(self) -> None:
        before = load()
        Path(".env").write_text(
            "TOPGENRE_SPOTIFY_TOKEN_URL=http://127.0.0.1:9/steal\n"
            "TOPGENRE_SPOTIFY_API_URL=http://127.0.0.1:9/steal\n"
            "TOPGENRE_DEEZER_API_URL=http://127.0.0.1:9/steal\n"
            "TOPGENRE_SERVICE_TIMEOUT=0\nTOPGENRE_SPOTIFY_MARKET=SE\n",
            encoding="utf-8",
        )
        assert load() == before.model_copy(update={"spotify_market": "SE"})

    def test_only_that_of_the_working_directory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        text = f"TOPGENRE_SPOTIFY_CLIENT_ID={CLIENT_ID}\nTOPGENRE_SPOTIFY_CLIENT_SECRET=secret\n"
        Path(".env").write_text(text, encoding="utf-8")
        assert available()[0].name == "spotify"
        Path("below").mkdir()
        monkeypatch.chdir("below")
        assert available()[0].name == "search-links"

    def test_one_that_is_no_text(self) -> None:
        Path(".env").write_bytes(b"TOPGENRE_SPOTIFY_CLIENT_ID=\xff\xfe\n")
        assert why(one()).startswith(".env: ")
        [section] = recommend(ROCK)
        assert section.items
        assert section.notices[0].startswith(".env: ")


class TestSpotify:
    def test_the_list_has_the_mixture_of_the_weights(self, spotify: FakeSpotify) -> None:
        section = one(MIXTURE)
        assert genres(section) == {"rock": 6, "jazz": 3, "disco": 1}
        kinds = Counter((item.kind, item.genre) for item in section.items)
        assert kinds["playlist", "rock"] == kinds["playlist", "jazz"] == 1
        assert {item.genre for item in section.items[:5]} == {"rock", "jazz", "disco"}
        assert len({item.url for item in section.items}) == 10
        artists = [artist for item in section.items for artist in item.artists]
        assert len(set(artists)) == len(artists) == 8

    def test_every_item_is_complete(self, spotify: FakeSpotify) -> None:
        section = one(limit=4)
        first, last = section.items[0].to_dict(), section.items[-1].to_dict()
        assert first == {
            "kind": "track", "name": "rock song 0", "artists": ["rock artist 0"],
            "url": "https://open.spotify.com/track/00000000000000rock0000",
            "artwork_url": "https://i.scdn.co/image/00000000000000rock0000300",
            "genre": "rock", "query": 'genre:"rock"', "preview_url": None, "spotify_url": None,
        }  # fmt: skip
        assert last == {
            "kind": "playlist", "name": "rock list 1", "artists": [],
            "url": "https://open.spotify.com/playlist/00000000000000rock0001",
            "artwork_url": "https://mosaic.scdn.co/640/00000000000000rock0001",
            "genre": "rock", "query": "rock", "preview_url": None, "spotify_url": None,
        }  # fmt: skip
        assert not section.notices
        assert set(section.to_dict()) == {"provider", "label", "kind", "items", "notices"}

    def test_only_the_search_is_used_and_within_its_limits(self, spotify: FakeSpotify) -> None:
        assert len(one(MIXTURE, limit=50).items) == 50
        assert {request.path for request in spotify.requests} == {TOKENS, SEARCH}
        for request in spotify.asked(SEARCH):
            assert request.params["market"] == "US"
            assert request.params["limit"] == "10"
        assert len(spotify.asked(TOKENS)) == 1

    def test_a_genre_that_the_filter_does_not_know(self, spotify: FakeSpotify) -> None:
        section = one([GenreProbability("disco", 1.0)], limit=3)
        assert [item.query for item in section.items if item.kind == "track"] == ["disco"] * 2
        assert section.notices[0] == 'Some tracks were found by the word "disco" and may not fit'
        assert 'genre:"disco"' in [request.params["q"] for request in spotify.asked(SEARCH)]

    def test_hip_hop_is_spelt_as_people_do(self, spotify: FakeSpotify) -> None:
        section = one([GenreProbability("hiphop", 1.0)], limit=2)
        assert {item.query for item in section.items} == {'genre:"hip hop"'}
        assert {item.genre for item in section.items} == {"hiphop"}

    def test_one_artist_fills_the_first_pages(self, spotify: FakeSpotify) -> None:
        spotify.tracks = lambda genre: (
            [track(genre, n, "everywhere" if n < 25 else f"artist {n}", "guest") for n in range(25)]
            + [track(genre, n, f"artist {n}") for n in range(25, 40)]
        )
        section = one(limit=5)
        assert len(section.items) == 5
        names = [artist for item in section.items for artist in item.artists]
        assert names.count("everywhere") == names.count("guest") == 1
        offsets = [r.params["offset"] for r in spotify.asked(SEARCH) if r.params["type"] == "track"]
        assert offsets == ["0", "10", "20"]

    def test_the_same_track_under_two_genres(self, spotify: FakeSpotify) -> None:
        spotify.tracks = lambda _: [track("shared", n, f"artist {n}") for n in range(20)]
        spotify.playlists = lambda _: [playlist("shared", n) for n in range(4)]
        section = one(MIXTURE)
        assert len({item.url for item in section.items}) == len(section.items) == 10

    def test_what_is_missing_or_of_another_type(self, spotify: FakeSpotify) -> None:
        whole = track("rock", 1, "one")
        spotify.playlists = lambda _: [None, None]
        spotify.tracks = lambda _: [
            None,
            7,
            "track",
            {},
            {"name": None, "id": "x"},
            {"name": "no link"},
            {"name": "not playable", "id": "a1", "is_playable": False},
            {"name": "restricted", "id": "a2", "restrictions": {"reason": "market"}},
            {"name": "evil", "external_urls": {"spotify": "javascript:alert(1)"}},
            {"name": "evil", "id": "../../evil"},
            {**whole, "popularity": None, "available_markets": None},
            {"name": "bare", "id": "bare"},
            {"name": "odd\x1b[2J\nname\ud800 ", "id": "odd", "artists": [None, {"name": 3}],
             "album": {"images": [{"url": "http://insecure"}, {"url": 4}, None]}},
            {"name": "tiny picture", "id": "tiny", "artists": None,
             "album": {"images": [{"url": "https://i.scdn.co/tiny", "width": 64}]}},
        ]  # fmt: skip
        section = one(limit=5)
        assert [item.name for item in section.items] == [
            "rock song 1", "bare", "odd [2J name", "tiny picture",
        ]  # fmt: skip
        assert section.items[1].url == "https://open.spotify.com/track/bare"
        assert [item.artists for item in section.items[1:]] == [(), (), ()]
        assert [item.artwork_url for item in section.items[1:]] == [
            None, None, "https://i.scdn.co/tiny",
        ]  # fmt: skip
        assert section.notices == ("Spotify found only 4 of 5 for rock",)

    @pytest.mark.parametrize("nothing", [None, {}, {"items": None}, {"items": []}, []])
    def test_null_playlists_leave_their_places_to_tracks(
        self, spotify: FakeSpotify, nothing: Any
    ) -> None:
        spotify.plan(SEARCH, Reply(200, {"playlists": nothing}))
        section = one()
        assert {item.kind for item in section.items} == {"track"}
        assert len(section.items) == 10

    def test_nothing_at_all(self, spotify: FakeSpotify) -> None:
        spotify.tracks = spotify.playlists = lambda _: []
        assert why(one()) == "Spotify found nothing for rock"

    def test_the_cache_answers_the_second_time(self, spotify: FakeSpotify) -> None:
        first = one(MIXTURE)
        count = len(spotify.requests)
        assert one(MIXTURE) == first
        assert len(spotify.requests) == count

    def test_no_cache(self, spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOPGENRE_RECOMMEND_CACHE_SECONDS", "0")
        assert one() == one()
        searches = [tuple(request.params.items()) for request in spotify.asked(SEARCH)]
        assert len(searches) == 2 * len(set(searches))
        assert len(spotify.asked(TOKENS)) == 1

    def test_threads_share_the_token(self, spotify: FakeSpotify) -> None:
        with ThreadPoolExecutor(8) as pool:
            sections = list(pool.map(lambda _: one(MIXTURE), range(16)))
        assert all(section == sections[0] for section in sections)
        assert len(sections[0].items) == 10
        assert len(spotify.asked(TOKENS)) == 1


class TestSpotifyRefuses:
    def test_a_token_that_has_run_out_is_renewed(self, spotify: FakeSpotify) -> None:
        assert one().items
        spotify.expire_tokens()
        assert one([GenreProbability("jazz", 1.0)]).items
        assert len(spotify.asked(TOKENS)) == 2

    def test_a_short_lived_token_is_renewed_before_its_end(self, spotify: FakeSpotify) -> None:
        def give(request: Request) -> Reply:
            reply = spotify.answer(request)
            return Reply(200, {**reply.body, "expires_in": 1})

        spotify.always[TOKENS] = give
        spotify.always[SEARCH] = lambda request: Reply(
            **{**_parts(spotify.answer(request)), "delay": 0.4}
        )
        assert len(one(MIXTURE, limit=4).items) == 4
        assert len(spotify.asked(TOKENS)) > 1
        assert all(spotify.answer(request).status == 200 for request in spotify.asked(SEARCH))

    def test_a_token_that_is_never_good(self, spotify: FakeSpotify) -> None:
        spotify.always[SEARCH] = Reply(401, {"error": {"status": 401, "message": "no"}})
        assert "token (401)" in why(one())
        assert len(spotify.asked(TOKENS)) == 2

    def test_wrong_credentials(self, spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOPGENRE_SPOTIFY_CLIENT_SECRET", "wrong")
        assert "does not accept the credentials" in why(one())
        assert not spotify.asked(SEARCH)

    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            (Reply(403, PREMIUM), "its owner needs Premium"),
            (Reply(403, {"error": {"status": 403, "message": PREMIUM}}), "its owner needs Premium"),
            (Reply(403, "no"), "dashboard"),
            (Reply(400, {"error": {"message": "Invalid limit"}}), "Invalid limit"),
            (Reply(400, {"error": {"message": "Invalid market code"}}), "TOPGENRE_SPOTIFY_MARKET"),
            (Reply(400, b""), "rejects the request"),
            (Reply(404, "<html>"), "TOPGENRE_SPOTIFY_API_URL"),
            (Reply(302, b"", {"Location": "http://127.0.0.1:9/"}), "unexpected form"),
            (Reply(418, b""), "unexpected form"),
            (Reply(204, b""), "unexpected form"),
        ],
    )
    def test_a_refusal_is_one_line_and_not_repeated(
        self, spotify: FakeSpotify, reply: Reply, said: str
    ) -> None:
        spotify.always[SEARCH] = reply
        assert said in why(one(MIXTURE))
        assert len(spotify.asked(SEARCH)) == 1

    def test_what_came_before_a_refusal_is_kept(self, spotify: FakeSpotify) -> None:
        for _ in range(2):
            spotify.plan(SEARCH, spotify.answer)
        spotify.always[SEARCH] = Reply(403, PREMIUM)
        section = one(MIXTURE)
        assert genres(section) == {"rock": 5}
        assert section.notices[-1].startswith("The list is incomplete: Spotify refuses")

    @pytest.mark.parametrize("path", [SEARCH, TOKENS])
    def test_a_short_pause_is_kept(self, spotify: FakeSpotify, path: str) -> None:
        spotify.plan(path, Reply(429, b"", {"Retry-After": "1"}))
        assert len(one().items) == 10

    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            (Reply(429, b"", {"Retry-After": "7200"}), "in 2 h"),
            (Reply(429, b"", {"Retry-After": "86400000"}), "in 24 h"),
            (Reply(429, {"error": {"reason": "QUOTA_EXCEEDED"}}, {"Retry-After": "600"}), "quota"),
            (Reply(429, {"error": {"reason": "QUOTA_EXCEEDED"}}), "quota"),
            (Reply(429, b""), "in 60 s"),
            (Reply(429, b"", {"Retry-After": "-5"}), "in 60 s"),
            (Reply(429, b"", {"Retry-After": "inf"}), "in 60 s"),
        ],
    )
    def test_a_long_pause_opens_the_circuit(
        self, spotify: FakeSpotify, reply: Reply, said: str
    ) -> None:
        cached = one()
        count = len(spotify.requests)
        spotify.always[SEARCH] = reply
        jazz = [GenreProbability("jazz", 1.0)]
        assert said in why(one(jazz))
        assert len(spotify.requests) == count + 1
        assert said in why(one(jazz))
        assert one() == cached
        assert len(spotify.requests) == count + 1

    def test_a_pause_until_a_date(self, spotify: FakeSpotify) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(hours=3), usegmt=True)
        spotify.always[SEARCH] = Reply(429, b"", {"Retry-After": date})
        assert "in 3 h" in why(one())

    def test_pauses_without_end(self, spotify: FakeSpotify) -> None:
        spotify.always[SEARCH] = Reply(429, b"", {"Retry-After": "0"})
        assert "keeps refusing" in why(one())
        assert len(spotify.asked(SEARCH)) < 10


def _parts(reply: Reply) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in ("status", "body", "headers")}


class TestServiceInTrouble:
    """What no service documents; the same code asks both."""

    @pytest.mark.parametrize("path", [SEARCH, TOKENS])
    @pytest.mark.parametrize(
        "reply",
        [Reply(500, "<html>"), Reply(503, b""), Reply(reset=True), Reply(200, b"{}", missing=5)],
    )
    def test_one_fault_is_bridged(self, spotify: FakeSpotify, path: str, reply: Reply) -> None:
        spotify.plan(path, reply)
        section = one()
        assert len(section.items) == 10
        assert not section.notices

    @pytest.mark.parametrize("path", [SEARCH, TOKENS])
    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            (Reply(502, "<html>"), "a problem of its own (502)"),
            (Reply(reset=True), "broke off the connection"),
            (Reply(200, '{"tracks": ', {"Content-Type": "application/json"}), "unexpected form"),
            (Reply(200, "<html>Log in to this Wi-Fi</html>"), "unexpected form"),
            (Reply(200, '{"playlists": {}}', {"Content-Type": "text/html"}), "unexpected form"),
            (Reply(200, []), "unexpected form"),
            (Reply(200, None), "unexpected form"),
            (Reply(200, {"other": 1}), "unexpected form"),
            (Reply(200, "[" * 100_000, {"Content-Type": "application/json"}), "unexpected form"),
            (Reply(200, b"\xff\xfe", {"Content-Type": "application/json"}), "unexpected form"),
            (Reply(200, b"no gzip", {"Content-Encoding": "gzip"}), "unexpected form"),
            (Reply(200, {"x": "x" * (5 << 20)}), "unexpected form"),
        ],
    )
    def test_a_lasting_fault_is_one_line(
        self, spotify: FakeSpotify, path: str, reply: Reply, said: str
    ) -> None:
        spotify.always[path] = reply
        notice = why(one(MIXTURE))
        assert notice.startswith("Spotify ")
        assert said in notice

    @pytest.mark.parametrize("token", ["two\nlines", "", 7, None, "ümlaut", "x" * 5000])
    def test_a_token_that_is_none(self, spotify: FakeSpotify, token: object) -> None:
        spotify.always[TOKENS] = Reply(200, {"access_token": token, "expires_in": 3600})
        assert "unexpected form" in why(one())
        assert not spotify.asked(SEARCH)

    @pytest.mark.parametrize("path", [SEARCH, TOKENS])
    def test_a_slow_answer(
        self, spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        monkeypatch.setenv("TOPGENRE_SERVICE_TIMEOUT", "0.2")
        spotify.always[path] = Reply(200, {}, delay=0.6)
        assert why(one()) == "Spotify did not answer within 0.2 s; try again later"
        assert len(spotify.asked(path)) == 1

    def test_an_answer_that_drips(
        self, spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TOPGENRE_RECOMMEND_TIME_LIMIT", "0.5")
        spotify.always[SEARCH] = Reply(200, {"tracks": "x" * 100}, drip=0.05)
        assert why(one()) == "Spotify did not answer within 0.5 s; try again later"

    def test_many_slow_answers(self, spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOPGENRE_RECOMMEND_TIME_LIMIT", "0.8")
        spotify.always[SEARCH] = lambda request: Reply(
            **{**_parts(spotify.answer(request)), "delay": 0.3}
        )
        section = one(MIXTURE, limit=50)
        assert section.items
        assert "incomplete: Spotify did not answer within 0.8 s" in section.notices[-1]

    def test_no_network(self, spotify: FakeSpotify, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOPGENRE_SPOTIFY_TOKEN_URL", closed_port())
        assert why(one()) == "Spotify cannot be reached at 127.0.0.1; check the network connection"
        monkeypatch.setenv("TOPGENRE_DEEZER_API_URL", closed_port())
        assert "Deezer cannot be reached" in why(one(provider="deezer"))

    def test_a_name_that_does_not_resolve(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOPGENRE_DEEZER_API_URL", "https://service.invalid")
        assert "at service.invalid" in why(one(provider="deezer"))

    def test_a_proxy_that_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "gopher://user:hidden@127.0.0.1")
        notice = why(one(provider="deezer"))
        assert "HTTPS_PROXY" in notice
        assert "hidden" not in notice

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["items", "next", "name", "id", "images", "url", "width", "artists", "album",
                     "external_urls", "spotify", "data", "title", "artist", "error", "code"]
                ),
                inner,
                max_size=5,
            ),
            max_leaves=30,
        )
    )  # fmt: skip
    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_any_json_at_all(
        self,
        spotify: FakeSpotify,
        deezer: FakeDeezer,
        monkeypatch: pytest.MonkeyPatch,
        body: Any,
    ) -> None:
        monkeypatch.setenv("TOPGENRE_RECOMMEND_CACHE_SECONDS", "0")
        monkeypatch.setenv("TOPGENRE_RECOMMEND_TIME_LIMIT", "2")  # less than Deezer's pause
        spotify.always[SEARCH] = Reply(200, {"tracks": body, "playlists": body})
        deezer.always["/genre"] = Reply(200, {"data": body})
        deezer.always["/search/track"] = Reply(200, body)
        for path in ("/search/artist", "/artist/2/radio", "/artist/2/related"):
            deezer.always[path] = Reply(200, body)
        for provider in ("spotify", "deezer"):
            section = one(provider=provider)
            assert section.items or section.notices
            assert "fault in topgenre" not in "".join(section.notices)
            json.dumps(section.to_dict()).encode()


class TestDeezer:
    def test_charts_are_found_by_the_names_of_genres(self, deezer: FakeDeezer) -> None:
        names = [
            "blues",
            "classical",
            "country",
            "hiphop",
            "jazz",
            "metal",
            "pop",
            "reggae",
            "rock",
        ]
        section = one([GenreProbability(name, 1.0) for name in names], "deezer", 18)
        assert genres(section) == dict.fromkeys(names, 2)
        assert not section.notices
        queries = {item.genre: item.query for item in section.items}
        assert queries["hiphop"] == "chart: Rap/Hip Hop"
        assert queries["reggae"] == "chart: Reggae"
        assert not deezer.asked("/search/track")
        assert section.items[0].to_dict() == {
            "kind": "track", "name": "Blues song 0", "artists": ["Blues artist 0"],
            "url": section.items[0].url, "artwork_url": section.items[0].artwork_url,
            "genre": "blues", "query": "chart: Blues",
            "preview_url": section.items[0].preview_url,
            "spotify_url": "https://open.spotify.com/search/Blues%20artist%200%20Blues%20song%200",
        }  # fmt: skip
        assert section.items[0].url.startswith("https://www.deezer.com/track/")

    def test_a_genre_without_a_chart(self, deezer: FakeDeezer) -> None:
        section = one(MIXTURE, "deezer")
        assert genres(section) == {"rock": 6, "jazz": 3, "disco": 1}
        assert section.notices == ('Some tracks were found by the word "disco" and may not fit',)
        artists = [artist for item in section.items for artist in item.artists]
        assert len(set(artists)) == len(artists) == 10

    def test_playlists_come_first_where_they_are_asked_for(self, deezer: FakeDeezer) -> None:
        [section] = recommend(MIXTURE, limit=8, providers=["deezer"], playlists_first=True)
        kinds = [item.kind for item in section.items]
        assert kinds == ["playlist"] * 6 + ["track"] * 2
        first = section.items[0]
        assert (first.name, first.genre, first.query) == ("rock playlist 0", "rock", "rock")
        assert first.url.startswith("https://www.deezer.com/playlist/")
        assert first.spotify_url is None
        # Those with the artist's name are nearer to the song than those of its genre.
        [section] = recommend(
            ROCK, limit=4, providers=["deezer"], artist="Miles Davis", playlists_first=True
        )
        assert [(item.kind, item.query) for item in section.items] == [
            *[("playlist", "Miles Davis")] * 3, ("track", "artist radio"),
        ]  # fmt: skip

    def test_playlists_that_nobody_can_play_are_left_out(self, deezer: FakeDeezer) -> None:
        whole = fake_deezer.playlist("rock", 1)
        deezer.always["/search/playlist"] = Reply(
            200,
            {
                "data": [
                    whole | {"title": ""}, whole | {"link": "javascript:alert(1)"},
                    whole | {"public": False}, whole | {"nb_tracks": 0}, whole, whole,
                ]
            },
        )  # fmt: skip
        [section] = recommend(ROCK, limit=4, providers=["deezer"], playlists_first=True)
        assert [item.kind for item in section.items] == ["playlist", *["track"] * 3]

    def test_a_second_page(self, deezer: FakeDeezer) -> None:
        assert len(one(provider="deezer", limit=30).items) == 30
        paths = [r.params["index"] for r in deezer.asked("/chart/152/tracks")]
        assert paths == ["0", "50"]
        assert len(one(provider="deezer", limit=50).items) == 35  # of the 35 artists in the chart

    def test_the_quota(self, deezer: FakeDeezer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TOPGENRE_RECOMMEND_TIME_LIMIT", "2")
        deezer.always["/genre"] = Reply(200, fake_deezer.QUOTA)
        assert "Deezer asks for a pause" in why(one(provider="deezer"))
        assert "Deezer asks for a pause" in why(one(MIXTURE, "deezer"))
        assert len(deezer.requests) == 1

    @pytest.mark.parametrize("status", [200, 429])
    def test_a_short_pause_is_kept(self, deezer: FakeDeezer, status: int) -> None:
        deezer.plan("/genre", Reply(status, fake_deezer.QUOTA, {"Retry-After": "1"}))
        assert len(one(provider="deezer").items) == 10

    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            (Reply(200, {"error": {"code": 600}}), "unexpected form"),
            (Reply(200, {"error": []}), "unexpected form"),
            (Reply(403, b""), "refuses"),
            (Reply(404, b""), "unexpected form"),
            (Reply(200, {"data": []}), "found nothing for rock"),
            (Reply(200, fake_deezer.NO_DATA), "found nothing for rock"),
        ],
    )
    def test_it_cannot_answer(self, deezer: FakeDeezer, reply: Reply, said: str) -> None:
        for path in ("/genre", "/search/track"):
            deezer.always[path] = reply
        assert said in why(one(provider="deezer"))

    def test_tracks_that_are_not_whole(self, deezer: FakeDeezer) -> None:
        whole = fake_deezer.track("rock", 1)
        deezer.always["/chart/152/tracks"] = Reply(
            200,
            {
                "data": [
                    None,
                    {"id": 1},
                    {"title": "no link"},
                    {**whole, "readable": False},
                    {"title": "old link", "id": 5, "link": "http://www.deezer.com/track/5"},
                    whole,
                ]
            },
        )
        section = one(provider="deezer", limit=2)
        assert [item.name for item in section.items] == ["old link", "rock song 1"]
        assert section.items[0].url == "https://www.deezer.com/track/5"


def like(
    artist: str | None, title: str | None = None, provider: str = "deezer", limit: int = 6
) -> Section:
    [section] = recommend(ROCK, limit=limit, providers=[provider], artist=artist, title=title)
    return section


class TestLikeThisSong:
    def test_the_radio_of_the_artist_then_related_artists(self, deezer: FakeDeezer) -> None:
        section = like("MILES  DAVIS")
        assert (section.label, section.kind) == ("Deezer: like Miles Davis", "artist")
        assert [(item.artists[0], item.query) for item in section.items] == [
            ("Miles Davis", "artist radio"),
            ("Miles Davis like 0", "artist radio"),
            ("Miles Davis like 1", "artist radio"),
            ("Miles Davis like 2", "artist radio"),
            ("John Coltrane", "related artist"),
            ("Bill Evans", "related artist"),
        ]
        assert {item.genre for item in section.items} == {""}
        assert all(item.preview_url for item in section.items)
        assert not section.notices
        assert not deezer.asked("/genre")
        count = len(deezer.requests)
        assert like("MILES DAVIS") == section
        assert len(deezer.requests) == count

    def test_no_more_requests_than_needed(self, deezer: FakeDeezer) -> None:
        like("Miles Davis", limit=3)
        assert [request.path for request in deezer.requests] == [
            "/search/artist", "/artist/2/radio",
        ]  # fmt: skip

    def test_the_song_itself_is_left_out(self, deezer: FakeDeezer) -> None:
        section = like("Miles Davis", "miles davis RADIO song 0")
        assert "Miles Davis radio song 0" not in [item.name for item in section.items]
        assert section.notices == ("Deezer found only 5 of 6 for Miles Davis",)

    @pytest.mark.parametrize(
        ("written", "found"),
        [
            ("Simon & Garfunkel", "Simon & Garfunkel"),
            ("Miles Davis feat. John Coltrane", "Miles Davis"),
            ("Miles Davis; Bill Evans", "Miles Davis"),
            ("miles-davis", "Miles Davis"),
        ],
    )
    def test_spellings(self, deezer: FakeDeezer, written: str, found: str) -> None:
        deezer.always["/search/artist"] = lambda _: Reply(
            200, {"data": [deezer._artist(number) for number in deezer.artists]}
        )
        assert like(written).label == f"Deezer: like {found}"

    @pytest.mark.parametrize("artist", ["Nobody at all", "???", "a\udcff", "x" * 5000])
    def test_an_artist_that_is_unknown(self, deezer: FakeDeezer, artist: str) -> None:
        section = like(artist)
        assert (section.label, section.kind) == ("Deezer charts", "charts")
        assert {item.genre for item in section.items} == {"rock"}
        assert section.notices[0].startswith("Deezer does not know")
        json.dumps(section.to_dict()).encode()

    @pytest.mark.parametrize(
        "answer",
        [
            {"data": []},
            {"data": [None, 7, {"name": "Miles Davis"}, {"id": "2", "name": "Miles Davis"}]},
            {"data": [{"id": 2, "name": ["Miles Davis"]}]},
            {"error": {"code": 800}},
        ],
    )
    def test_artists_that_are_none(self, deezer: FakeDeezer, answer: Any) -> None:
        deezer.always["/search/artist"] = Reply(200, answer)
        assert like("Miles Davis").kind == "charts"

    @pytest.mark.parametrize("path", ["/search/artist", "/artist/2/radio", "/artist/2/related"])
    @pytest.mark.parametrize(
        "reply",
        [
            Reply(500, "<html>"),
            Reply(200, "<html>"),
            Reply(200, {"error": {"code": 600}}),
            Reply(200, {"data": {"id": 2}}),
            Reply(reset=True),
            Reply(200, fake_deezer.QUOTA, {"Retry-After": "4000"}),
        ],
    )
    def test_a_fault_on_the_way(self, deezer: FakeDeezer, path: str, reply: Reply) -> None:
        deezer.always[path] = reply
        section = like("Miles Davis")
        notice = section.notices[-1]
        assert "Deezer" in notice
        assert "fault in topgenre" not in notice
        # What came before the fault is kept.
        assert len(section.items) == (4 if path.endswith("related") else 0)
        assert notice.startswith("The list is incomplete: ") is path.endswith("related")

    @pytest.mark.parametrize(
        "preview",
        [
            "http://cdnt-preview.dzcdn.net/a.mp3",
            "https://evil.example/a.mp3",
            "https://evil.example/.dzcdn.net/a.mp3",
            "https://dzcdn.net.evil.example/a.mp3",
            "https://user@evil.example#.dzcdn.net/",
            "javascript:alert(1)",
            "https://a.dzcdn.net/a b",
            "",
            7,
        ],
    )
    def test_previews_from_elsewhere_are_dropped(self, deezer: FakeDeezer, preview: Any) -> None:
        song = {**fake_deezer.track("x", 1), "preview": preview}
        deezer.always["/artist/2/radio"] = Reply(200, {"data": [song]})
        assert like("Miles Davis", limit=1).items[0].preview_url is None

    def test_links_to_spotify(self, spotify: FakeSpotify, deezer: FakeDeezer) -> None:
        known = track("miles", 7, "Miles Davis")
        known["name"] = "Miles Davis Radio Song 0 - Remastered"
        other = track("other", 8, "Somebody Else")
        other["name"] = "Miles Davis radio song 1"
        spotify.tracks = lambda query: [known, other] if query.startswith("track:") else []
        links = [item.spotify_url for item in like("Miles Davis", limit=2).items]
        assert links == [
            known["external_urls"]["spotify"],
            "https://open.spotify.com/search/Miles%20Davis%20like%200%20Miles%20Davis"
            "%20radio%20song%201",
        ]
        assert spotify.asked(SEARCH)[0].params["q"] == (
            'track:"Miles Davis radio song 0" artist:"Miles Davis"'
        )

    @pytest.mark.parametrize("reply", [Reply(403, PREMIUM), Reply(reset=True), Reply(200, [])])
    def test_a_spotify_that_fails_leaves_search_links(
        self, spotify: FakeSpotify, deezer: FakeDeezer, reply: Reply
    ) -> None:
        spotify.always[SEARCH] = reply
        section = like("Miles Davis", limit=4)
        assert len(section.items) == 4
        assert all("/search/" in str(item.spotify_url) for item in section.items)
        assert not section.notices

    def test_search_links_for_the_song_and_the_artist(self) -> None:
        section = like("Björk & Co", "Jóga?", "search-links")
        assert [(item.name, item.url) for item in section.items] == [
            (
                "Search Spotify for Björk & Co - Jóga?",
                "https://open.spotify.com/search/Bj%C3%B6rk%20%26%20Co%20J%C3%B3ga%3F",
            ),
            (
                "Search Spotify for Björk & Co playlists",
                "https://open.spotify.com/search/Bj%C3%B6rk%20%26%20Co/playlists",
            ),
            (
                "Search Spotify for rock playlists",
                "https://open.spotify.com/search/rock/playlists",
            ),
        ]

    def test_playlists_with_the_artist_come_before_those_of_the_genre(
        self, spotify: FakeSpotify
    ) -> None:
        section = like("Miles Davis", provider="spotify")
        playlists = [item for item in section.items if item.kind == "playlist"]
        assert [item.name for item in playlists] == ["Miles Davis list 1"]

    def test_playlists_first(self, spotify: FakeSpotify) -> None:
        [section] = recommend(ROCK, limit=8, providers=["spotify"], playlists_first=True)
        assert [item.kind for item in section.items] == ["playlist"] * 6 + ["track"] * 2

    def test_the_tags_of_the_file_name_the_song(self, deezer: FakeDeezer) -> None:
        path = Path("song.flac")
        write_audio(path, signals.music(2.0), signals.SAMPLE_RATE)
        file = FLAC(path)
        file["artist"], file["title"] = "Miles Davis", "So What"
        file.save()
        found = recommend(ROCK, providers=["search-links", "deezer"], source=str(path))
        assert found[0].items[0].name == "Search Spotify for Miles Davis - So What"
        assert found[1].label == "Deezer: like Miles Davis"
        [named] = recommend(ROCK, providers=["deezer"], source=str(path), artist="John Coltrane")
        assert named.label == "Deezer: like John Coltrane"
        [charts] = recommend(ROCK, providers=["deezer"], source=str(path), artist="")
        assert charts.kind == "charts"


class TestSecrets:
    def test_no_log_and_no_message_holds_any(
        self,
        spotify: FakeSpotify,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        for name in ("httpx", "httpcore", "topgenre", "asyncio"):
            caplog.set_level(logging.DEBUG, logger=name)
        said: list[str] = []

        def echo(request: Request) -> Reply:
            words = f"limit {request.headers['authorization']} {request.form}"
            return Reply(status, {"error": {"status": status, "message": words}})

        said += map(str, recommend(MIXTURE))
        for path in (TOKENS, SEARCH):
            for status in (400, 401, 403, 404, 429, 500, 302):
                monkeypatch.setenv("TOPGENRE_RECOMMEND_CACHE_SECONDS", f"{status / 1000}")
                spotify.always = {path: echo}
                spotify.expire_tokens()
                said += map(str, recommend(MIXTURE))
            spotify.always = {path: Reply(reset=True)}
            said += map(str, recommend(MIXTURE))
        spotify.always = {TOKENS: Reply(200, {"access_token": TOKEN + "\n"})}
        said += map(str, recommend(MIXTURE, providers=["spotify"]))

        formatter = logging.Formatter("%(name)s %(message)s")
        records = [formatter.format(record) + repr(record.args) for record in caplog.records]
        assert {record.split()[0].split(".")[0] for record in records} >= {"httpx", "httpcore"}
        assert any("topgenre.recommend" in record for record in records)
        sent = "".join(map(str, spotify.requests))
        assert CREDENTIALS in sent
        assert TOKEN in sent
        for secret in SECRETS:
            assert not any(secret in text for text in [*records, *said])

    def test_settings_do_not_show_them(self, spotify: FakeSpotify) -> None:
        chosen = load()
        for text in (repr(chosen), str(chosen), chosen.model_dump_json()):
            assert CLIENT_SECRET not in text


class TestPlaylist:
    def test_tracks_stand_in_a_group_of_their_provider(
        self, spotify: FakeSpotify, deezer: FakeDeezer
    ) -> None:
        sections = recommend(ROCK, limit=4, providers=["spotify", "search-links", "deezer"])
        path = Path("mixed.m3u8")
        assert save(sections, path) == 7
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[2:4] == ["#PLAYLIST:topgenre", "#EXTGRP:Spotify"]
        assert lines[4:6] == [
            "#EXTINF:-1,rock artist 0 - rock song 0", sections[0].items[0].url,
        ]  # fmt: skip
        assert lines.index("#EXTGRP:Deezer charts") == 10
        assert not [line for line in lines if "/search/" in line or "/playlist/" in line]
        assert save(sections[:1], path) == 3  # its own file may be replaced
        assert "Deezer" not in path.read_text(encoding="utf-8")

    def test_no_name_breaks_a_line(self) -> None:
        item = Item("track", "a\nb\r#EXTINF", ("x\ny",), "file:///a\nb", None, "rock", "q")
        section = Section("library", "My\nlibrary", "library", (item,))
        save([section], Path("one.m3u8"))
        assert Path("one.m3u8").read_text(encoding="utf-8").splitlines()[3:] == [
            "#EXTGRP:My library", "#EXTINF:-1,x y - a b #EXTINF", "file:///a b",
        ]  # fmt: skip

    def test_other_files_are_left_alone(self) -> None:
        item = Item("track", "name", (), "https://example.com/", None, "rock", "q")
        section = Section("spotify", "Spotify", "tracks", (item,))
        path = Path("mine.m3u8")
        path.write_text("#EXTM3U\nmine.mp3\n", encoding="utf-8")
        for target, said in (
            (path, "not from topgenre"),
            (Path("song.mp3"), "must end in .m3u8"),
            (Path("no/folder.m3u8"), "cannot be written"),
        ):
            with pytest.raises(OutputError, match=said):
                save([section], target)
        with pytest.raises(OutputError, match="no tracks"):
            save(recommend(ROCK), Path("links.m3u8"))
        assert [path.name for path in Path().iterdir()] == ["mine.m3u8"]
        assert path.read_text(encoding="utf-8") == "#EXTM3U\nmine.mp3\n"


def closed_port() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{holder.getsockname()[1]}"
