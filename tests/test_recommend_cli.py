"""Recommendations on the command line: what is printed and written, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

import signals
from fake_deezer import FakeDeezer
from fake_spotify import PREMIUM, SECRETS, FakeSpotify, Reply, track
from terminal import terminal
from topgenre.cli.app import app
from topgenre.demo import synthesise, write_audio
from topgenre.library.catalogue import Catalogue
from topgenre.recommend import available

pytestmark = pytest.mark.usefixtures("nothing_set")

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "result.schema.json").read_text(encoding="utf-8")
)


@pytest.fixture
def song() -> Path:
    path = Path("song.wav")
    write_audio(path, signals.music(4.0), signals.SAMPLE_RATE)
    return path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def record(result: Result) -> Any:
    """Return the one JSON object of an output."""
    [line] = result.stdout.splitlines()
    return json.loads(line)


def test_genres_without_a_song() -> None:
    result = call("recommend", "--genre", "rock", "--genre", "Jazz:0.3")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:3] == [
        "Search on Spotify",
        "  rock  Search Spotify for rock playlists  https://open.spotify.com/search/rock/playlists",
        "  jazz  Search Spotify for jazz playlists  https://open.spotify.com/search/jazz/playlists",
    ]
    # Once, how to get more than links.
    assert result.stdout.count("connect Spotify") == 1


def test_plain_links() -> None:
    result = call("recommend", "--genre", "rock", "--links")
    assert result.stdout == "https://open.spotify.com/search/rock/playlists\n"


def test_a_song_that_the_user_names(deezer: FakeDeezer, song: Path) -> None:
    options = ["--provider", "deezer", "--artist", "Miles Davis", "--title", "So What"]
    for source in ([song], ["--genre", "rock"]):
        result = call("recommend", *source, *options, "--limit", "3")
        assert result.exit_code == 0
        assert "\nDeezer: like Miles Davis\n" in f"\n{result.stdout}"
        assert "  Miles Davis - Miles Davis radio song 0  https://www.deezer.com/" in result.stdout


def test_playlists_first(spotify: FakeSpotify) -> None:
    result = call("recommend", "--genre", "rock", "--playlists", "--json")
    [section] = record(result)["recommendations"]
    kinds = [item["kind"] for item in section["items"]]
    assert kinds == sorted(kinds)  # playlists, then tracks
    assert kinds.count("playlist") > kinds.count("track")


def test_providers_one_below_the_other(spotify: FakeSpotify, deezer: FakeDeezer) -> None:
    providers = ["--provider", "spotify", "--provider", "deezer"]
    result = call(
        "recommend", "--genre", "rock:6", "--genre", "disco:4", "--limit", "5", *providers
    )
    assert result.exit_code == 0
    first, second = result.stdout.split("\n\n")
    assert first.splitlines()[:3] == [
        "Spotify",
        "  Tracks",
        "    rock   rock artist 0 - rock song 0  "
        "https://open.spotify.com/track/00000000000000rock0000",
    ]
    assert "  Playlists\n    rock   rock list 1  https://open.spotify.com/playlist/" in first
    assert '  note: Some tracks were found by the word "disco" and may not fit' in first
    assert second.startswith("Deezer charts\n  rock   Rock artist 0 - Rock song 0  https://www.dee")


def test_a_song_as_json(spotify: FakeSpotify, song: Path) -> None:
    result = call("recommend", song, "--json", "--limit", "20", "--top", "2")
    assert result.exit_code == 0
    answer = record(result)
    jsonschema.validate(answer, SCHEMA)
    assert len(answer["genres"]) == 10
    [section] = answer["recommendations"]
    first, second = answer["genres"][:2]
    share = first["probability"] / (first["probability"] + second["probability"])
    counts = Counter(item["genre"] for item in section["items"])
    assert set(counts) <= {first["genre"], second["genre"]}
    assert abs(counts[first["genre"]] - 20 * share) <= 1
    # The same object as from the other command, but for how many were asked for.
    other = record(call("classify", song, "--recommend", "--json"))
    jsonschema.validate(other, SCHEMA)
    assert other.keys() == answer.keys()
    assert other["genres"] == answer["genres"]


def test_a_song_for_people(spotify: FakeSpotify, song: Path) -> None:
    bars = call("classify", song).stdout
    for arguments in (("recommend", song), ("classify", song, "--recommend")):
        result = call(*arguments)
        assert result.exit_code == 0
        assert result.stdout.startswith(f"{bars}\nSpotify\n  Tracks\n")
        assert result.stdout.count("https://open.spotify.com/") == 10


def test_several_songs(spotify: FakeSpotify, song: Path) -> None:
    Path("bad.mp3").write_bytes(b"this is no music")
    result = call("classify", song, "bad.mp3", song, "--recommend", "--json")
    assert result.exit_code == 1
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [sorted(r.keys() & {"error", "recommendations"}) for r in records] == [
        [], ["error"], [], ["recommendations"],
    ]  # fmt: skip
    for answer in records[:3]:
        jsonschema.validate(answer, SCHEMA)
    assert sorted(records[3]) == ["genres", "recommendations"]
    assert len(records[3]["recommendations"][0]["items"]) == 10
    result = call("classify", song, song, "--recommend")
    assert result.stdout.count("\nSpotify\n") == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(403, PREMIUM), "Spotify refuses this app: its owner needs Premium"),
        (Reply(429, b"", {"Retry-After": "90000"}), "Spotify asks for a pause"),
        (Reply(500, b""), "Spotify has a problem of its own"),
        (Reply(200, "<html>"), "Spotify answered in an unexpected form"),
        (Reply(reset=True), "Spotify broke off the connection"),
    ],
)
def test_a_failing_provider_never_spoils_a_result(
    spotify: FakeSpotify, song: Path, reply: Reply, said: str
) -> None:
    plain = call("classify", song)
    spotify.always[FakeSpotify.search_path] = reply
    result = call("classify", song, "--recommend")
    assert result.exit_code == 0
    assert result.stdout.startswith(plain.stdout)
    [label, notice] = result.stdout.removeprefix(plain.stdout).strip().splitlines()
    assert label == "Spotify"
    assert notice.startswith(f"  note: {said}")
    answer = record(call("classify", song, "--recommend", "--json"))
    jsonschema.validate(answer, SCHEMA)
    assert answer["recommendations"][0]["items"] == []
    # Of the other command it is all that was asked for.
    assert call("recommend", song).exit_code == 1


def test_a_setting_that_makes_no_sense(monkeypatch: pytest.MonkeyPatch, song: Path) -> None:
    monkeypatch.setenv("TOPGENRE_SERVICE_TIMEOUT", "soon")
    result = call("classify", song, "--recommend")
    assert result.exit_code == 0
    assert "Search on Spotify" in result.stdout
    assert "  note: TOPGENRE_SERVICE_TIMEOUT: " in result.stdout


def test_a_song_that_is_none(spotify: FakeSpotify) -> None:
    Path("bad.mp3").write_bytes(b"this is no music")
    result = call("recommend", "bad.mp3")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: bad.mp3: ")
    result = call("recommend", "bad.mp3", "--json")
    assert result.exit_code == 1
    jsonschema.validate(record(result), SCHEMA)
    assert not spotify.requests


def test_a_playlist(deezer: FakeDeezer) -> None:
    arguments = ["recommend", "--genre", "hiphop", "--provider", "deezer", "--m3u8", "list.m3u8"]
    result = call(*arguments, "--limit", "3")
    assert result.exit_code == 0
    assert result.stderr == "wrote list.m3u8 (3 tracks)\n"
    lines = Path("list.m3u8").read_text(encoding="utf-8").splitlines()
    assert lines[3] == "#EXTGRP:Deezer charts"
    assert lines[5].startswith("https://www.deezer.com/track/")
    result = call("recommend", "--genre", "rock", "--m3u8", "links.m3u8")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: links.m3u8: not written, as there are no tracks")
    assert not Path("links.m3u8").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["recommend"],
        ["recommend", "song.wav", "--genre", "rock"],
        ["recommend", "--genre", "rock", "--provider", "tidal"],
        ["recommend", "--genre", "rock", "--json", "--links"],
        ["recommend", "--genre", "rock", "--limit", "0"],
        ["recommend", "--genre", "rock", "--limit", "51"],
        ["recommend", "--genre", "rock", "--m3u8", "song.wav"],
        ["recommend", "--genre", ":"],
        ["recommend", "--genre", "rock:0"],
        ["recommend", "--genre", "rock:-1"],
        ["recommend", "--genre", "rock:nan"],
        ["recommend", "--genre", "rock:much"],
        ["recommend", "--genre", "ro\x1bck"],
        ["classify", "song.wav", "--recommend", "--csv"],
    ],
)
def test_wrong_calls(spotify: FakeSpotify, song: Path, arguments: list[str]) -> None:
    before = song.read_bytes()
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert not spotify.requests
    assert song.read_bytes() == before


def test_a_narrow_terminal(spotify: FakeSpotify, tmp_path: Path) -> None:
    spotify.tracks = lambda _: [track("rock", 1, "\x1b[31mred\x07")]
    with terminal("recommend", "--genre", "rock", "--limit", "2", home=tmp_path) as screen:
        screen.see("Spotify")
        screen.see("[31mred - rock song 1")
        screen.see("\r\n")
        between = screen.see("https://open.spotify.com/track/00000000000000rock0001")
        assert "red" not in between
        code, rest = screen.end()
    assert code == 0
    assert "\x07" not in rest
    assert "Spotify found only 1 of 2 for rock" in rest


def test_processes_show_no_secret(spotify: FakeSpotify, song: Path) -> None:
    spotify.always[FakeSpotify.search_path] = lambda request: Reply(
        400, {"error": {"message": request.headers["authorization"]}}
    )
    code = (
        "import logging; logging.basicConfig(level=logging.DEBUG);"
        "from topgenre.cli.app import app; app()"
    )
    command = [sys.executable, "-c", code, "recommend", "--genre", "rock"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Spotify rejects the request" in done.stdout
    assert "httpcore" in done.stderr
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr


def test_to_classify_no_http_client_is_imported(spotify: FakeSpotify, song: Path) -> None:
    code = (
        "import sys; from topgenre.cli import classify; from topgenre.cli.app import app;"
        "app(standalone_mode=False);"
        "assert not {'httpx', 'topgenre.recommend'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, "classify", str(song)], check=True)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A catalogue of five songs, one of which is the same sound as `song` in another format."""
    folder = tmp_path / "shelf"
    for style in ("metal", "disco", "hip-hop", "classical arpeggios"):
        (folder / style).mkdir(parents=True)
        write_audio(folder / style / f"{style}.wav", synthesise(style, seconds=12.0))
    (folder / "like").mkdir()
    write_audio(folder / "like" / "like.flac", signals.music(4.0), signals.SAMPLE_RATE)
    catalog = tmp_path / "shelf.sqlite3"
    assert call("scan", folder, "--catalog", catalog).exit_code == 0
    return catalog


def test_songs_of_the_own_library(song: Path, shelf: Path) -> None:
    result = call("recommend", song, "--provider", "library", "--catalog", shelf, "--json")
    assert result.exit_code == 0
    answer = record(result)
    jsonschema.validate(answer, SCHEMA)
    [section] = answer["recommendations"]
    assert section["kind"] == "library"
    first, *others = section["items"]
    assert (first["name"], first["kind"]) == ("like", "track")
    assert first["url"] == (shelf.parent / "shelf" / "like" / "like.flac").as_uri()
    scores = [float(item["query"].split()[1].rstrip(",")) for item in section["items"]]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.99
    assert len(others) < 4  # what is not alike is left out

    # Through a pipe, and by genre: no sound to compare with, so the surest of the genre.
    with Catalogue(shelf, read_only=True) as catalogue:
        sure = [
            row for row in catalogue.songs() if row.analysis and not row.analysis.result.uncertain
        ]
    assert sure
    assert sure[0].analysis is not None
    genre = sure[0].analysis.result.genres[0].genre
    library = ("--provider", "library", "--catalog", shelf)
    named = call("recommend", "--genre", genre, *library, "--json")
    assert named.exit_code == 0
    [section] = record(named)["recommendations"]
    wanted = {
        Path(row.path).as_uri()
        for row in sure
        if row.analysis and row.analysis.result.genres[0].genre == genre
    }
    assert {item["url"] for item in section["items"]} == wanted
    playlist = Path("own.m3u8")
    assert call("recommend", song, *library, "--m3u8", playlist).exit_code == 0
    assert first["url"] in playlist.read_text(encoding="utf-8").splitlines()


def test_a_library_that_is_not_there(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [info.name for info in available()]
    assert "library" not in names
    monkeypatch.setenv("TOPGENRE_CATALOG", str(tmp_path / "none.sqlite3"))
    assert "library" in [info.name for info in available()]
    result = call("recommend", song, "--provider", "library")
    assert result.exit_code == 1
    assert "topgenre scan" in result.stdout
    refused = call("recommend", song, "--catalog", tmp_path / "none.sqlite3")
    assert refused.exit_code == 2
