"""Playlists of a catalogue: a file a genre, with the songs that belong there and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from song_rows import Library
from topgenre.result import display_name


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "Music")
    yield library
    library.catalogue.close()


def lines(path: Path) -> list[bytes]:
    """The places of a playlist."""
    head, mark, name, *rest = path.read_bytes().splitlines()
    assert (head, mark) == (b"#EXTM3U", b"# Written by topgenre")
    assert name == f"#PLAYLIST:{display_name(path.stem)}".encode()
    return rest[1::2]


def test_a_playlist_a_genre_with_the_surest_first(library: Library, tmp_path: Path) -> None:
    library.add("a.mp3", "jazz", 0.7, artist="Ann")
    library.add("b/b.mp3", "jazz", 0.9)
    library.add("c.mp3", "jazz", 0.5, uncertain=True)
    library.add("d.mp3", "rock", 0.8)
    library.add("old.mp3", "rock", 0.9, model=b"another")
    library.catalogue.mark(library.add("gone.mp3", "blues", 0.9), missing=True)
    library.add_failure("s.mp3")
    target = tmp_path / "new" / "lists"
    result = library.call("playlists", target)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"jazz: 2 songs in {target / 'jazz.m3u8'}",
        f"rock: 1 song in {target / 'rock.m3u8'}",
    ]
    assert "another model classified them: 1 song;" in result.stderr
    assert sorted(path.name for path in target.iterdir()) == ["jazz.m3u8", "rock.m3u8"]
    assert (target / "jazz.m3u8").read_text(encoding="utf-8").splitlines() == [
        *("#EXTM3U", "# Written by topgenre", "#PLAYLIST:Jazz"),
        *("#EXTINF:61,b", "../../Music/b/b.mp3"),
        *("#EXTINF:61,Ann - a", "../../Music/a.mp3"),
    ]


def test_conditions(library: Library, tmp_path: Path) -> None:
    for number, probability in enumerate((0.4, 0.9, 0.6, 0.8)):
        library.add(f"{number}.mp3", "rock", probability, uncertain=probability < 0.7)
    library.add("below/4.mp3", "rock", 0.7)
    (library.folder / "1.mp3").touch()  # one whose file is gone would have moved
    library.add("copy.mp3", "rock", 0.9, content="1.mp3")
    target = library.folder / "lists"

    def found(*arguments: str | Path) -> str:
        result = library.call("playlists", target, *arguments)
        assert result.exit_code == 0, result.output
        return "".join(Path(os.fsdecode(line)).stem for line in lines(target / "rock.m3u8"))

    assert found() == "134"
    assert found("--threshold", "0.6") == "1342"
    assert found("--threshold", "0") == "13420"
    assert found("--threshold", "0", "--limit", "2") == "13"
    assert found("--folder", library.folder / "below") == "4"
    limited = library.call("playlists", target, "--limit", "1").stdout
    assert limited == f"rock: 1 of 3 songs in {target / 'rock.m3u8'}\n"
    assert library.call("playlists", target, "--threshold", "1.1").exit_code == 2
    assert library.call("playlists", target, "--limit", "0").exit_code == 2


def test_nothing_that_fits_makes_no_folder(library: Library, tmp_path: Path) -> None:
    library.add("a.mp3", "rock", 0.4, uncertain=True)
    result = library.call("playlists", tmp_path / "lists")
    assert result.exit_code == 1
    assert "no song matches" in result.stderr
    assert not (tmp_path / "lists").exists()


def test_files_of_others_are_spared_and_nothing_is_written_then(
    library: Library, tmp_path: Path
) -> None:
    library.add("a.mp3", "jazz", 0.9)
    library.add("b.mp3", "rock", 0.9)
    other = tmp_path / "rock.m3u8"
    other.write_text("my own list\n", encoding="utf-8")
    result = library.call("playlists", tmp_path)
    assert result.exit_code == 1
    assert f"{other}: it exists already and is not from topgenre" in result.stderr
    assert other.read_text(encoding="utf-8") == "my own list\n"
    assert not (tmp_path / "jazz.m3u8").exists()


def test_a_genre_that_has_lost_its_songs_has_an_empty_list(
    library: Library, tmp_path: Path
) -> None:
    path = library.add("a.mp3", "jazz", 0.9)
    library.add("b.mp3", "rock", 0.9)
    assert library.call("playlists", tmp_path).exit_code == 0
    library.catalogue.mark(path, missing=True)
    result = library.call("playlists", tmp_path)
    assert result.stdout.splitlines()[0] == f"jazz: 0 songs in {tmp_path / 'jazz.m3u8'}"
    assert lines(tmp_path / "jazz.m3u8") == []


def test_genres_whose_names_are_no_names_of_files(library: Library, tmp_path: Path) -> None:
    for number, genre in enumerate(("../up", "a/b", "a_b", "A_B", "..", "drum & bass")):
        library.add(f"{number}.mp3", genre, 0.9)
    assert library.call("playlists", tmp_path / "lists").exit_code == 0
    written = sorted(path.name for path in tmp_path.rglob("*.m3u8"))
    expected = {"_up", "_", "drum & bass", "A_B", "a_b 2", "a_b 3"}
    assert {name.removesuffix(".m3u8") for name in written} == expected
    assert {path.parent for path in tmp_path.rglob("*.m3u8")} == {tmp_path / "lists"}


@pytest.mark.skipif(os.name != "posix", reason="such names are forbidden here")
def test_places_that_players_find(library: Library, tmp_path: Path) -> None:
    names = [
        "#1 hit.mp3",
        "x/http: y.mp3",
        os.fsdecode(b"\xff\xe9.mp3"),
        " blank.mp3",
        "two\nlines",
    ]
    for number, name in enumerate(names):
        library.add(name, "rock", 0.9 - number / 100)
    result = library.call("playlists", library.folder)
    assert result.exit_code == 0
    uri = (library.folder / names[-1]).as_uri().encode()
    assert uri.endswith(b"/two%0Alines")
    inside = [b"./#1 hit.mp3", b"./x/http: y.mp3", b"\xff\xe9.mp3", b"./ blank.mp3", uri]
    assert lines(library.folder / "rock.m3u8") == inside

    # Far away, or where a link leads to the folder, they are absolute.
    absolute = [*(os.fsencode(library.folder / name) for name in names[:-1]), uri]
    far = tmp_path / "a" / "b" / "c"
    link = tmp_path / "link"
    (library.folder / "lists").mkdir()
    link.symlink_to(library.folder / "lists")
    for folder in (far, link):
        assert library.call("playlists", folder).exit_code == 0
        assert lines(folder / "rock.m3u8") == absolute
    beside = library.folder / "lists"
    (beside / "rock.m3u8").unlink()
    assert library.call("playlists", beside).exit_code == 0
    assert lines(beside / "rock.m3u8")[0] == b"../#1 hit.mp3"
