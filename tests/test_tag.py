"""Genres in files' own tags: written, and nothing else; and taken back."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import av
import mutagen
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen.id3 import APIC, COMM, ID3, TCON, TDRC, TIT2, TXXX, TYER
from typer.testing import CliRunner, Result

import signals
from audio_files import encode, noise
from terminal import terminal
from topgenre.cli.app import app
from topgenre.demo import write_audio
from topgenre.errors import TagError
from topgenre.library.analysis import file_hash
from topgenre.library.catalogue import Catalogue, model_hash
from topgenre.library.scan import scan
from topgenre.library.song import Analysis, Tags
from topgenre.result import Result as Judgement
from topgenre.result import rank
from topgenre.tagging.journal import Journal
from topgenre.tagging.policy import Policy, check_names, read_names, undo
from topgenre.tagging.rewrite import read_genre, restore_genre, write_genre

needs_posix = pytest.mark.skipif(os.name != "posix", reason="permissions and limits of Unix")

FORMATS = {
    "song.mp3": ("mp3", "libmp3lame"),
    "song.wav": ("wav", "pcm_s16le"),
    "song.aiff": ("aiff", "pcm_s16be"),
    "song.flac": ("flac", "flac"),
    "song.ogg": ("ogg", "vorbis"),
    "song.opus": ("ogg", "libopus"),
    "song.oga": ("ogg", "flac"),
    "song.m4a": ("ipod", "aac"),
    "alac.m4a": ("ipod", "alac"),
    "song.wv": ("wv", "wavpack"),
    "song.wma": ("asf", "wmav2"),
}
ROCK = {"rock": 0.8, "metal": 0.15, "hiphop": 0.05}


@cache
def sound(name: str) -> bytes:
    container, codec = FORMATS[name]
    rate = 48_000 if codec == "libopus" else 44_100
    return encode(noise(0.5, rate, 2), rate, container, codec, 96_000)


def write_song(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sound(f"song{path.suffix}"))
    return path


def packets(path: Path) -> list[bytes]:
    """Give the packets of a file, as no code under test does."""
    with av.open(str(path), "r", metadata_errors="replace") as container:
        found: list[bytes] = []
        with suppress(av.error.InvalidDataError):
            found += (bytes(packet) for packet in container.demux() if packet.size)
        return found


def remaining(path: Path) -> dict[str, str]:
    """Give all tags but the genre."""
    tags = mutagen.File(path).tags
    if tags is None:
        return {}
    items = tags.as_dict().items() if hasattr(tags, "as_dict") else tags.items()
    names = ("tcon", "genre", "wm/genre", "\xa9gen")
    return {key: str(value) for key, value in items if key.casefold() not in names}


def genres(path: Path) -> list[str]:
    return list(read_genre(path).genres)


def judge(
    catalog: Path, path: Path, shares: dict[str, float] = ROCK, *, uncertain: bool = False
) -> None:
    """Let a catalogue say what a song is, so that no network need be asked."""
    with Catalogue(catalog) as catalogue:
        result = Judgement(str(path), rank(shares), uncertain, 0, 10, "m 1")
        status = path.stat()
        found = Analysis(file_hash(str(path)), result, np.ones(4, np.float32), Tags())
        catalogue.add(str(path), status.st_size, status.st_mtime_ns, model_hash(), found)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite3"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.ndjson"


@pytest.fixture
def music(tmp_path: Path, catalog: Path) -> Path:
    """Three songs that the catalogue knows: of rock, of rock with a genre, and of no sure genre."""
    folder = tmp_path / "music"
    for name in ("bare.flac", "tagged.mp3", "vague.ogg"):
        write_song(folder / name)
    write_genre(folder / "tagged.mp3", ["Chanson"])
    judge(catalog, folder / "bare.flac")
    judge(catalog, folder / "tagged.mp3")
    judge(catalog, folder / "vague.ogg", {"pop": 0.3, "jazz": 0.28}, uncertain=True)
    return folder


@pytest.fixture
def call(catalog: Path, journal: Path) -> Any:
    def run(*arguments: str | Path, catalogued: bool = True) -> Result:
        known = ["--catalog", str(catalog)] if catalogued else ["--no-catalog"]
        fixed = ["tag", "--journal", str(journal), *known]
        return CliRunner().invoke(app, [*fixed, *map(str, arguments)])

    return run


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Give all that could change of a folder's files."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())
    }


# One file.


@pytest.mark.parametrize("name", FORMATS)
def test_a_genre_and_nothing_else_is_written_into_every_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(sound(name))
    before = packets(path)
    # What other programs read and write, FFmpeg among them.
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if isinstance(file.tags, ID3):
        file.tags.add(TIT2(text=["Ténèbres"]))
    else:
        file.tags["\xa9nam" if path.suffix == ".m4a" else "title"] = ["Ténèbres"]
    file.save()
    others = remaining(path)
    untouched = read_genre(path)
    assert untouched.genres == ()
    write_genre(path, ["Hip-Hop"])
    with av.open(str(path), "r") as container:
        metadata = {**container.metadata, **container.streams.audio[0].metadata}
    read = {key.casefold(): value for key, value in metadata.items()}
    assert read.get("genre", read.get("wm/genre")) == "Hip-Hop"
    assert packets(path) == before
    write_genre(path, ["Hip-Hop", "日本の, ロック/ポップ; ½"])
    assert genres(path) == ["Hip-Hop", "日本の, ロック/ポップ; ½"]
    assert (remaining(path), packets(path)) == (others, before)
    restore_genre(path, untouched.raw)
    assert read_genre(path) == untouched
    assert (remaining(path), packets(path)) == (others, before)
    assert list(tmp_path.iterdir()) == [path]


names = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=20
).filter(lambda name: name == name.strip() and TCON(text=[name]).genres == [name])
several = st.lists(names, min_size=1, max_size=4, unique=True)


@pytest.mark.parametrize("name", ["song.mp3", "song.aiff", "song.ogg", "song.m4a", "song.wv"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(there=several, wanted=several)
def test_whatever_genres_there_were_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, name: str, there: list[str], wanted: list[str]
) -> None:
    path = tmp_path_factory.mktemp("t") / name
    path.write_bytes(sound(name))
    before = packets(path)
    bare = read_genre(path)
    assert write_genre(path, there).genres == tuple(there)
    old = read_genre(path)
    assert write_genre(path, wanted) == read_genre(path)
    assert genres(path) == wanted
    restore_genre(path, old.raw)
    assert read_genre(path) == old
    restore_genre(path, bare.raw)
    assert read_genre(path) == bare
    assert packets(path) == before


@pytest.mark.parametrize("version", [3, 4])
def test_id3_keeps_its_version_and_every_frame(version: int, tmp_path: Path) -> None:
    path = write_song(tmp_path / "song.mp3")
    tags = ID3()
    for frame in (
        *(TIT2(encoding=1, text=["Öde"]), TXXX(encoding=0, desc="mood", text=["dull", "grey"])),
        *(COMM(encoding=0, lang="deu", desc="", text=["so"]), TCON(encoding=0, text=["(17)"])),
        APIC(encoding=0, mime="image/png", type=3, desc="", data=b"\x89PNG picture"),
        TYER(encoding=0, text=["1999"]) if version == 3 else TDRC(encoding=0, text=["1999-12"]),
    ):
        tags.add(frame)
    tags.save(path, v2_version=version, v23_sep=None)
    before = ID3(path, translate=False)
    assert genres(path) == ["Rock"]
    old = read_genre(path)
    write_genre(path, ["Дабстеп", "R/B"])
    after = ID3(path, translate=False)
    assert after.version == before.version == (2, version, 0)
    assert after["TCON"].text == ["Дабстеп", "R/B"]
    assert {k: repr(v) for k, v in after.items() if k != "TCON"} == {
        k: repr(v) for k, v in before.items() if k != "TCON"
    }
    restore_genre(path, old.raw)
    again = ID3(path, translate=False)
    assert {k: repr(v) for k, v in again.items()} == {k: repr(v) for k, v in before.items()}


def test_id3v1_changes_in_its_genre_alone(tmp_path: Path) -> None:
    old_tag = b"TAG" + b"A title of thirty characters!!" + b"Somebody".ljust(30, b"\0")
    old_tag = old_tag + b"\0" * 30 + b"1987" + b"\xe9t\xe9".ljust(30, b"\0") + b"\x08"
    path = tmp_path / "song.mp3"
    bare = encode(noise(0.5, 44_100), 44_100, "mp3", "libmp3lame", options={"id3v2_version": "0"})
    path.write_bytes(bare + old_tag)
    before = packets(path)
    old = read_genre(path)
    assert old.genres == ("Jazz",)
    write_genre(path, ["Hip-Hop"])
    assert path.read_bytes()[-128:] == old_tag[:-1] + b"\x07"
    # Players look at ID3v2 first: the title must be there as well.
    assert ID3(path, load_v1=False)["TIT2"].text == ["A title of thirty characters!!"]
    write_genre(path, ["Of my own"])
    assert path.read_bytes()[-128:] == old_tag[:-1] + b"\xff"
    assert packets(path) == before
    restore_genre(path, old.raw)
    assert path.read_bytes() == bare + old_tag


def test_id3_of_the_oldest_version_becomes_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    bare = encode(noise(0.5, 44_100), 44_100, "mp3", "libmp3lame", options={"id3v2_version": "0"})
    frames = b"".join(
        name + len(text).to_bytes(3, "big") + text
        for name, text in ((b"TT2", b"\0Title"), (b"TYE", b"\x001987"), (b"TCO", b"\0(8)"))
    )
    path.write_bytes(b"ID3\x02\0\0\0\0\0" + bytes([len(frames)]) + frames + bare)
    old = read_genre(path)
    assert old.genres == ("Jazz",)
    write_genre(path, ["Pop"])
    tags = ID3(path, translate=False)
    assert tags.version == (2, 3, 0)
    assert {key: str(frame) for key, frame in tags.items()} == {
        **{"TIT2": "Title", "TYER": "1987", "TCON": "Pop"}
    }
    restore_genre(path, old.raw)
    assert genres(path) == ["Jazz"]


def test_a_tag_that_was_not_there_goes_again(tmp_path: Path) -> None:
    for name in ("song.wav", "song.aiff"):
        path = tmp_path / name
        path.write_bytes(sound(name))
        old = read_genre(path)
        write_genre(path, ["Rock"])
        assert path.read_bytes() != sound(name)
        restore_genre(path, old.raw)
        assert path.read_bytes() == sound(name)


def test_vorbis_fields_keep_their_order_and_their_spelling(tmp_path: Path) -> None:
    path = write_song(tmp_path / "song.flac")
    file = mutagen.File(path)
    fields = [("Genre", "a"), ("TITLE", "b"), ("GENRE", "c"), ("Artist", "d"), ("genre", "")]
    file.tags[:] = fields
    file.save()
    old = read_genre(path)
    assert old.genres == ("a", "c")
    write_genre(path, ["x"])
    assert list(mutagen.File(path).tags) == [("Genre", "x"), ("TITLE", "b"), ("Artist", "d")]
    restore_genre(path, old.raw)
    assert list(mutagen.File(path).tags) == fields


def test_a_genre_outside_the_main_tag_counts_as_one(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="wav") as output:
        output.metadata["genre"] = "Polka"  # goes to the INFO list
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
    path.write_bytes(buffer.getvalue())
    assert genres(path) == ["Polka"]


@pytest.mark.parametrize("name", ["song.mp3", "song.flac", "song.wav", "song.aiff"])
def test_damaged_sound_stays_as_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    data = bytearray(sound(name)[: 3 * len(sound(name)) // 5])
    data[-500] ^= 0xFF
    path.write_bytes(data)
    before = packets(path)
    old = read_genre(path)
    if path.suffix in (".wav", ".aiff"):
        # Where the sound has lost its end, a tag after it would be taken for sound.
        with pytest.raises(TagError, match="its sound would change"):
            write_genre(path, ["Rock", "Pop"])
        assert path.read_bytes() == data
    else:
        write_genre(path, ["Rock", "Pop"])
        assert genres(path) == ["Rock", "Pop"]
        assert packets(path) == before
        restore_genre(path, old.raw)
    assert (read_genre(path), packets(path)) == (old, before)
    assert list(tmp_path.iterdir()) == [path]


def test_a_genre_that_damaged_tags_would_not_show_is_not_written(tmp_path: Path) -> None:
    """Of two tables of tags, the first is changed, and the second goes on to say what it says."""
    path = write_song(tmp_path / "song.wma")
    file = mutagen.File(path)
    file.tags.clear()
    file.tags["WM/Genre"] = ["Jazz"]
    file.save()
    data = path.read_bytes()
    table = data.index(bytes.fromhex("40a4d0d207e3d21197f000a0c95ea850"))
    end = table + int.from_bytes(data[table + 16 : table + 24], "little")
    size, count = (int.from_bytes(data[a:b], "little") for a, b in ((16, 24), (24, 28)))
    head = (size + end - table).to_bytes(8, "little") + (count + 1).to_bytes(4, "little")
    data = data[:16] + head + data[28:end] + data[table:]
    path.write_bytes(data)
    assert genres(path) == ["Jazz", "Jazz"]
    with pytest.raises(TagError, match=r"song\.wma: .* would not show the new genre"):
        write_genre(path, ["Rock"])
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


@needs_posix
def test_links_permissions_and_times(tmp_path: Path) -> None:
    path = write_song(tmp_path / "real" / "song.mp3")
    path.chmod(0o640)
    os.utime(path, ns=(10**18, 10**18))
    link = tmp_path / "link.mp3"
    link.symlink_to(path)
    write_genre(link, ["Rock"], preserve_mtime=True)
    assert link.is_symlink()
    assert genres(path) == ["Rock"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_mtime_ns == 10**18
    write_genre(link, ["Pop"])
    assert path.stat().st_mtime_ns > 10**18
    assert [entry.name for entry in path.parent.iterdir()] == ["song.mp3"]


def test_what_a_killed_run_left_behind_goes(tmp_path: Path) -> None:
    path = write_song(tmp_path / "song.mp3")
    left: list[Path] = []

    def killed(_old: object, _new: object) -> None:
        left.extend(tmp_path.glob(".topgenre-*.part"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_genre(path, ["Rock"], commit=killed)
    assert list(tmp_path.iterdir()) == [path]
    left[0].write_bytes(b"what a kill would have left")
    write_genre(path, ["Rock"])
    assert list(tmp_path.iterdir()) == [path]
    assert genres(path) == ["Rock"]


# The policy.


def judged(shares: dict[str, float], *, uncertain: bool = False) -> Judgement:
    return Judgement("song", rank(shares), uncertain, 0, 10, "m 1")


@pytest.mark.parametrize(
    ("policy", "shares", "uncertain", "expected"),
    [
        (Policy(), {"hiphop": 0.51, "rock": 0.49}, False, ["Hip-Hop"]),
        (Policy(), {"hiphop": 0.49, "rock": 0.4}, False, []),
        (Policy(), {"hiphop": 0.9}, True, []),
        (Policy(count=2), {"pop": 0.5, "jazz": 0.26, "rock": 0.24}, False, ["Pop", "Jazz"]),
        (Policy(count=2), {"pop": 0.7, "jazz": 0.2}, False, ["Pop"]),
        (Policy(threshold=0.2, count=3), {"pop": 0.7, "jazz": 0.2}, False, ["Pop", "Jazz"]),
        (Policy(include_uncertain=True), {"blues": 0.2, "rock": 0.1}, True, ["Blues"]),
        (Policy(include_uncertain=True, threshold=0.3), {"blues": 0.2}, True, []),
        (Policy(names={"rock": ""}), {"rock": 0.6, "pop": 0.4}, False, []),
        # Genres with one name are one genre.
        (Policy(names={"metal": "Rock"}), {"metal": 0.4, "rock": 0.3}, False, ["Rock"]),
        (Policy(), {"zydeco": 1.0}, False, ["zydeco"]),
    ],
)
def test_what_is_written_of_a_result(
    policy: Policy, shares: dict[str, float], uncertain: bool, expected: list[str]
) -> None:
    chosen = policy.choose(judged(shares, uncertain=uncertain))
    assert [genre for genre, _ in chosen] == expected


mappings = st.dictionaries(st.sampled_from(["rock", "pop", "hiphop"]), names)


@settings(max_examples=50, deadline=None)
@given(mapping=mappings)
def test_a_map_says_the_same_as_toml_and_as_csv(
    tmp_path_factory: pytest.TempPathFactory, mapping: dict[str, str]
) -> None:
    import csv

    folder = tmp_path_factory.mktemp("map")
    # JSON's strings are strings of TOML, too.
    lines = [f"{genre} = {json.dumps(name, ensure_ascii=False)}" for genre, name in mapping.items()]
    (folder / "map.toml").write_text("\n".join(lines), encoding="utf-8")
    with (folder / "map.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(mapping.items())
    known = ["rock", "pop", "hiphop", "jazz"]
    assert read_names(folder / "map.toml", known) == mapping
    assert read_names(folder / "map.csv", known) == mapping
    result = judged(dict.fromkeys(known, 1 / 4))
    named = Policy(names=mapping).named(result)
    assert {genre for genre, _ in named} >= set(mapping.values())
    assert sum(share for _, share in named) == pytest.approx(1)


@pytest.mark.parametrize("name", ["17", "(17)", "((x", "CR", "two\nlines", 3, ["a"]])
def test_a_name_that_tags_would_misread_is_refused(name: Any) -> None:
    with pytest.raises(TagError, match="cannot be the name of rock"):
        check_names({"rock": name}, ["rock"], "map")


# The command.


def test_a_dry_run_shows_and_changes_nothing(music: Path, call: Any, journal: Path) -> None:
    before = state(music)
    result = call(music)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"{music / 'bare.flac'}: (none) → Rock 80.0%",
        f"{music / 'vague.ogg'}: not sure (Pop 30.0%)",
    ]
    assert result.stderr.splitlines() == [
        "3 files: 1 to write, 1 with a genre, kept, 1 not sure",
        "nothing was changed: --write does it",
    ]
    assert state(music) == before
    assert not journal.exists()


def test_writing_and_taking_back(music: Path, call: Any, catalog: Path) -> None:
    before = {path: read_genre(path) for path in music.iterdir()}
    result = call(music, "--write", "--replace", "--top", "2", "--threshold", "0.1", "--json")
    assert result.exit_code == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(Path(r["path"]).name, r["action"], r["old"], r["new"]) for r in records] == [
        ("bare.flac", "written", [], ["Rock", "Metal"]),
        ("tagged.mp3", "written", ["Chanson"], ["Rock", "Metal"]),
        ("vague.ogg", "not_sure", [], []),
    ]
    assert records[0]["genres"][0] == {"genre": "Rock", "probability": 0.8}
    assert genres(music / "tagged.mp3") == ["Rock", "Metal"]
    # The catalogue knows the files by their new content: no scan judges them again.
    with Catalogue(catalog) as catalogue:
        assert {step.what for step in scan(catalogue, [music], jobs=1)} == {"unchanged"}
        rows = {Path(song.path).name: song for song in catalogue.songs()}
    analysis = rows["bare.flac"].analysis
    assert analysis is not None
    assert analysis.tags.genre is not None
    assert analysis.hash == hashlib.sha256((music / "bare.flac").read_bytes()).digest()
    result = call("--undo")
    assert result.exit_code == 0, result.stderr
    assert f"{music / 'tagged.mp3'}: Rock, Metal → Chanson\n" in result.stdout
    assert result.stderr == "2 files: 2 as before\n"
    assert {path: read_genre(path) for path in music.iterdir()} == before
    assert call("--undo").stderr == "there is nothing to undo\n"


def test_append_adds_what_is_not_there(music: Path, call: Any, tmp_path: Path) -> None:
    names = tmp_path / "names.toml"
    names.write_text('rock = "chanson"\nmetal = "Métal"\n', encoding="utf-8")
    arguments = (music / "tagged.mp3", "--append", "--map", names, "--top", "2")
    result = call(*arguments, "--threshold", "0.1", "--write")
    assert result.exit_code == 0, result.stderr
    assert "tagged.mp3: Chanson → Chanson, Métal 15.0%\n" in result.stdout
    assert genres(music / "tagged.mp3") == ["Chanson", "Métal"]
    again = call(*arguments, "--threshold", "0.1", "--write")
    assert again.stderr == "1 file: 1 unchanged\n"


def test_a_file_that_nobody_knows_is_judged(call: Any, tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    write_audio(path, signals.music(2), signals.SAMPLE_RATE)
    result = call(path, "--write", "--include-uncertain", "--json", catalogued=False)
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["action"] == "written"
    assert len(record["genres"]) == 10
    assert genres(path) == record["new"] == [record["genres"][0]["genre"]]


def test_runs_are_undone_one_by_one_or_by_folder(music: Path, call: Any) -> None:
    song = music / "tagged.mp3"
    for name in ("Rock", "Pop"):
        with_map = music.parent / f"{name}.toml"
        with_map.write_text(f'rock = "{name}"', encoding="utf-8")
        assert call(song, "--replace", "--map", with_map, "--write").exit_code == 0
    assert genres(song) == ["Pop"]
    result = call("--undo")
    assert genres(song) == ["Rock"]
    assert "an older change is left to undo" in result.stderr
    assert call(music, "--replace", "--write").exit_code == 0
    assert genres(music / "bare.flac") == ["Rock"]
    assert call("--undo", music).exit_code == 0
    assert genres(song) == ["Chanson"]
    assert genres(music / "bare.flac") == []


def test_what_another_program_has_changed_since_is_left(music: Path, call: Any) -> None:
    assert call(music, "--replace", "--write").exit_code == 0
    tags = ID3(music / "tagged.mp3")
    tags.setall("TCON", [TCON(text=["By hand"])])
    tags.save()
    (music / "bare.flac").rename(music / "elsewhere.flac")
    result = call("--undo")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert "changed since by another program" in lines[0]
    assert "bare.flac: there is no such file" in lines[1]
    assert genres(music / "tagged.mp3") == ["By hand"]
    (music / "elsewhere.flac").rename(music / "bare.flac")
    assert call("--undo", music / "bare.flac").exit_code == 0
    assert genres(music / "bare.flac") == []


@needs_posix
def test_each_file_that_fails_is_one_line_and_the_rest_is_done(
    music: Path, call: Any, catalog: Path
) -> None:
    locked = write_song(music / "locked.mp3")
    judge(catalog, locked)
    locked.chmod(0o400)
    (music / "noise.mp3").write_bytes(b"this is no music")
    damaged = write_song(music / "damaged.m4a")
    data = damaged.read_bytes()
    damaged.write_bytes(data.replace(b"ilst", b"ilst\xff\xff\xff\xff", 1))
    truncated = music / "truncated.mp3"
    truncated.write_bytes(b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + sound("song.mp3")[:999])
    (music / "video.webm").write_bytes(encode(noise(0.5, 48_000), 48_000, "webm", "libopus"))
    (music / "gone.flac").symlink_to(music / "nowhere.flac")
    kept = {p.name: p.read_bytes() for p in (locked, damaged, truncated)}
    result = call(music, music / "missing.mp3", "--write")
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    said = "\n".join(errors)
    assert "locked.mp3: it is read-only" in said
    assert "noise.mp3: its tags are damaged, or it is no music" in said
    assert "damaged.m4a: " in said
    assert "truncated.mp3: its tags are damaged" in said
    assert "video.webm: topgenre cannot write tags of this format" in said
    assert "gone.flac: there is no such file" in said
    assert "missing.mp3: there is no such file" in said
    assert len(errors) == 7
    assert {name: (music / name).read_bytes() for name in kept} == kept
    assert genres(music / "bare.flac") == ["Rock"]
    assert not list(music.glob(".topgenre*"))


def start(*arguments: str | Path, limit: int | None = None) -> subprocess.Popen[str]:
    """Run topgenre in a process of its own, for which the disk may be full at some size."""
    resource = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    bound = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
    script = f"{resource + bound if limit else ''}from topgenre.cli import main\nmain()\n"
    return subprocess.Popen(
        [sys.executable, "-c", script, "tag", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@needs_posix
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, catalog: Path, journal: Path) -> None:
    small, large = write_song(tmp_path / "m" / "small.mp3"), write_song(tmp_path / "m" / "big.wav")
    for path in (small, large):
        judge(catalog, path)
    before = large.read_bytes()
    limit = len(before) - 1000
    assert limit > catalog.stat().st_size
    arguments = ("--journal", journal, "--catalog", catalog, "--write")
    out, errors = start(large, small, *arguments, limit=limit).communicate(timeout=60)
    assert "small.mp3: (none) → Rock" in out or "small.mp3: (none) -> Rock" in out
    assert f"error: {large}: no changed copy can be put beside it (File too large)" in errors
    assert (genres(small), large.read_bytes()) == (["Rock"], before)
    assert sorted(path.name for path in small.parent.iterdir()) == ["big.wav", "small.mp3"]


@needs_posix
def test_nothing_changes_without_its_line_in_the_journal(tmp_path: Path, journal: Path) -> None:
    songs = [tmp_path / f"{number}.wav" for number in range(3)]
    for path in songs:
        write_audio(path, signals.music(1.5), signals.SAMPLE_RATE)
    with Journal(journal) as entries:
        place = f"/somewhere/{'else' * 100_000}"
        entries.note(place, read_genre(songs[0]), read_genre(songs[0]))
    size = journal.stat().st_size
    arguments = ("--journal", journal, "--no-catalog", "--include-uncertain", "--write")
    process = start(*songs, *arguments, limit=size + 700)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the journal cannot be used" in errors
    written = [path for path in songs if genres(path)]
    assert len(written) == 1
    with Journal(journal) as entries:
        assert {entry.path for entry in entries.entries()} == {place, str(written[0])}


@needs_posix
def test_a_kill_leaves_every_file_old_or_new(tmp_path: Path, catalog: Path, journal: Path) -> None:
    folder = tmp_path / "music"
    songs = [write_song(folder / f"{number:02}{suffix}") for number in range(20)
             for suffix in (".mp3", ".flac", ".m4a")]  # fmt: skip
    for path in songs[::3]:
        write_genre(path, ["Chanson", "Pop"])
    for path in songs:
        judge(catalog, path)
    before = {path: (path.read_bytes(), packets(path)) for path in songs}
    old = {path: read_genre(path) for path in songs}
    arguments = ("--replace", "--write", "--json", "--journal", journal, "--catalog", catalog)
    for line in (1, 17):
        process = start(folder, *arguments)
        assert process.stdout is not None
        for _ in range(line):
            process.stdout.readline()
        time.sleep(0.003 * line)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    new = [path for path in songs if genres(path) == ["Rock"]]
    assert 17 <= len(new) < len(songs)
    for path in songs:
        assert packets(path) == before[path][1]
        assert path in new or path.read_bytes() == before[path][0]
    with Journal(journal) as entries:
        noted = {entry.path for entry in entries.entries()}
        assert {str(path) for path in new} <= noted
        assert len(noted) <= len(new) + 1
        with Catalogue(catalog) as catalogue:
            list(undo(entries, [folder], catalogue=catalogue))
        assert entries.entries() == []
    assert {path: read_genre(path) for path in songs} == old


def test_the_journal_is_for_one_program_and_bears_half_a_line(
    music: Path, call: Any, journal: Path
) -> None:
    assert call(music, "--write").exit_code == 0
    with journal.open("ab") as file:
        file.write(b'{"version": 1, "id": "half')
    with Journal(journal):
        result = call("--undo")
        assert result.exit_code == 1
        assert "another program is writing genres" in result.stderr
    assert call("--undo").exit_code == 0
    assert genres(music / "bare.flac") == []
    assert all(json.loads(line) for line in journal.read_text("ascii").splitlines())
    journal.write_text("no journal\n", encoding="ascii")
    result = call("--undo")
    assert result.exit_code == 1
    assert "line 1 is damaged" in result.stderr
    assert journal.read_text("ascii") == "no journal\n"
    journal.unlink()
    assert "there is no journal" in call("--undo").stderr
    assert not journal.exists()


def test_a_name_of_any_bytes_comes_back(tmp_path: Path, journal: Path) -> None:
    path = tmp_path / (os.fsdecode(b"caf\xe9\n.mp3") if sys.platform == "linux" else "café.mp3")
    write_song(path)
    old = read_genre(path)
    with Journal(journal) as entries:
        write_genre(path, ["Pop"], commit=lambda *tags: entries.note(str(path), *tags))
    with Journal(journal) as entries:
        assert [type(outcome).__name__ for outcome in undo(entries)] == ["Undone"]
    assert read_genre(path) == old


@pytest.mark.parametrize(
    "arguments",
    [
        *([], ["-"], ["a.mp3", "--keep", "--replace"], ["a.mp3", "--threshold", "1.5"]),
        *(["a.mp3", "--top", "0"], ["--undo", "--write"], ["a.mp3", "--map", "missing.toml"]),
    ],
)
def test_wrong_usage_ends_with_2(call: Any, arguments: Sequence[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("m.toml", 'polka = "Polka"', "'polka' is none of topgenre's genres: blues, classical"),
        ("m.toml", "rock = ", "the names of genres cannot be read"),
        ("m.csv", "rock,Rock,9", "two columns"),
    ],
)
def test_a_map_that_makes_no_sense(
    call: Any, tmp_path: Path, name: str, text: str, why: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    result = call("a.mp3", "--map", tmp_path / name)
    assert result.exit_code == 2
    assert why in " ".join(result.stderr.split())


@pytest.fixture
def screen(music: Path, catalog: Path, journal: Path) -> Iterator[Any]:
    with terminal("tag", music, "--catalog", catalog, "--journal", journal) as shown:
        yield shown


@needs_posix
def test_in_a_terminal_old_and_new_are_told_apart_by_colour(screen: Any) -> None:
    code, text = screen.end()
    assert code == 0
    assert "\x1b[2m(none)\x1b[0m → \x1b[32mRock 80.0%\x1b[0m" in text
    assert "nothing was changed: --write does it" in text


@needs_posix
def test_ctrl_c_leaves_nothing_half_done(tmp_path: Path, journal: Path) -> None:
    songs = [tmp_path / "music" / f"{number:02}.wav" for number in range(40)]
    songs[0].parent.mkdir()
    write_audio(songs[0], signals.music(1.5), signals.SAMPLE_RATE)
    for path in songs[1:]:
        path.write_bytes(songs[0].read_bytes())
    arguments = ("--include-uncertain", "--write", "--jobs", "1", "--journal", journal)
    with terminal("tag", songs[0].parent, "--no-catalog", *arguments) as screen:
        screen.see("02.wav: ")
        screen.interrupt()
        code, text = screen.end()
    assert code == 130
    assert "what is written stays, and --undo takes it back" in text
    assert "Traceback" not in text
    assert sorted(songs[0].parent.iterdir()) == songs
    written = [path for path in songs if genres(path)]
    assert 3 <= len(written) < len(songs)
    with Journal(journal) as entries:
        assert {entry.path for entry in entries.entries()} >= {str(path) for path in written}
