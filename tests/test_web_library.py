"""Songs of the server's catalogue: only where it was configured, and never a path."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import signals
from topgenre.demo import STYLES, synthesise, write_audio
from topgenre.library.analysis import file_hash
from topgenre.library.catalogue import Catalogue
from web_server import Server, serving, wav

FOLDER = "a private folder"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scan a few songs, one of which has a name that must not break anything."""
    home = tmp_path_factory.mktemp("home")
    music = home / FOLDER
    music.mkdir()
    for number, style in enumerate(STYLES[:4]):
        write_audio(music / f"song {number}.flac", synthesise(style, seconds=12.0))
    (music / "song 0.flac").rename(music / "=1+1 <b>%20#?.flac")
    path = home / "catalogue.sqlite3"
    command = [sys.executable, "-m", "topgenre", "scan", str(music), "--catalog", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def player(catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("player")
    with serving(folder, "--workers", "1", catalog=catalogue, library_play=1) as running:
        yield running


def near() -> bytes:
    """Return a song that sounds like one of the catalogue's."""
    song = synthesise(STYLES[1], seconds=12.0, sample_rate=signals.SAMPLE_RATE, seed=1)
    return wav(song.mean(axis=0))


def similar(server: Server, data: bytes) -> httpx.Response:
    files = {"file": ("song.wav", data)}
    return httpx.post(f"{server.url}/v1/similar", files=files, timeout=60)


def test_without_a_catalogue_the_server_knows_no_songs(server: Server) -> None:
    # The owner has one where programs look for it, but did not show it to anybody.
    info = server.get("/v1/info").json()
    assert info["library"] is False
    assert "library" not in {p["name"] for p in info["recommendation_providers"]}
    for query in ("provider=library", "provider=search-links&provider=library"):
        found = server.get(f"/v1/recommendations?genre=jazz&{query}")
        assert found.status_code == 400
    assert similar(server, wav(signals.music(2.0))).status_code == 404
    assert server.get(f"/v1/library/{'a' * 32}/audio").status_code == 404


def test_similar_songs_have_scores_and_reasons_but_no_path(player: Server, catalogue: Path) -> None:
    assert player.get("/v1/info").json()["library"] is True
    answer = similar(player, near())
    assert answer.status_code == 200
    songs = answer.json()["songs"]
    assert songs
    assert [s["score"] for s in songs] == sorted((s["score"] for s in songs), reverse=True)
    assert all(song["title"] and song["genre"] for song in songs)
    for text in (str(catalogue.parent), FOLDER, ".flac", "file:"):
        assert text not in answer.text


def test_a_song_is_not_similar_to_itself(player: Server, catalogue: Path) -> None:
    song = (catalogue.parent / FOLDER / "song 1.flac").read_bytes()
    assert "song 1" not in {found["title"] for found in similar(player, song).json()["songs"]}


def test_songs_that_were_named_can_be_played(player: Server, catalogue: Path) -> None:
    query = {"genre": ["jazz", "blues", "rock", "classical", "metal", "pop"], "provider": "library"}
    [section] = player.get("/v1/recommendations", params=query).json()["sections"]
    addresses = [item["url"] for item in section["items"]]
    songs = similar(player, near()).json()["songs"]
    addresses += [song["audio_url"] for song in songs]
    originals = {path.read_bytes() for path in (catalogue.parent / FOLDER).iterdir()}
    for address in addresses:
        played = player.get(f"/{address}")
        assert played.content in originals
        assert played.headers["content-type"].startswith("audio/")
        part = player.get(f"/{address}", headers={"Range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, b"fLaC")


@pytest.mark.parametrize(
    "song", ["a" * 32, "..", "%2e%2e%2f", "1", "A" * 32, "a" * 31, "\u0661" * 32]
)
def test_nothing_else_can_be_played(player: Server, song: str) -> None:
    assert player.get(f"/v1/library/{song}/audio").status_code in (400, 404)


def test_playing_is_off_unless_the_owner_says_so(catalogue: Path, tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", catalog=catalogue) as server:
        songs = similar(server, near()).json()["songs"]
        assert {song["audio_url"] for song in songs} == {song["id"] for song in songs} == {None}
        answer = server.get("/v1/recommendations?genre=jazz&genre=metal&provider=library")
        assert {item["url"] for item in answer.json()["sections"][0]["items"]} <= {""}
        assert FOLDER not in answer.text


def test_a_catalogue_that_is_gone_names_no_path(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", catalog=tmp_path / "secret.sqlite3") as server:
        answer = server.get("/v1/recommendations?genre=jazz&provider=library")
        assert "secret" not in answer.text
        assert answer.json()["sections"][0]["notices"]
        answer = similar(server, wav(signals.music(2.0)))
        assert answer.status_code == 500
        assert "secret" not in answer.text


def correct(server: Server, **said: object) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/corrections", json=said, timeout=60)


def test_a_song_of_the_catalogue_is_corrected(catalogue: Path, tmp_path: Path) -> None:
    own = tmp_path / "catalogue.sqlite3"
    own.write_bytes(catalogue.read_bytes())
    song = catalogue.parent / FOLDER / "song 1.flac"
    with serving(tmp_path / "s", "--workers", "1", catalog=own, corrections=1) as server:
        assert server.get("/v1/info").json()["corrections"] is True
        known = server.classify(song.read_bytes()).json()["id"]
        assert known == file_hash(str(song)).hex()
        assert correct(server, id=known, genre=" shoe  gaze ").json()["genre"] == "shoe gaze"
        with Catalogue(own, read_only=True) as kept:
            assert kept.corrected()[0] == {str(song): "shoe gaze"}
        unknown = server.classify(wav(signals.music(2.0))).json()["id"]
        answer = correct(server, id=unknown, genre="jazz")
        assert answer.status_code == 404
        assert "not in the server's catalogue" in answer.json()["detail"]
        for body in (b"", b"{}", b"[]", b'{"id": 1, "genre": 2}', b"\xff"):
            answer = httpx.post(f"{server.url}/v1/corrections", content=body, timeout=60)
            assert answer.status_code == 400
        for said in ({"id": "0" * 63}, {"genre": " "}, {"genre": "a\nb"}, {"genre": "a" * 101}):
            assert correct(server, **{"id": known, "genre": "jazz"} | said).status_code == 400
        assert correct(server, id=known, genre="a" * 9999).status_code == 413


def test_corrections_are_refused_unless_the_owner_allows_them(player: Server) -> None:
    assert player.get("/v1/info").json()["corrections"] is False
    assert player.classify(wav(signals.music(2.0))).json()["id"] is None
    answer = correct(player, id="0" * 64, genre="jazz")
    assert answer.status_code == 404
    assert "corrections" in answer.json()["detail"]
