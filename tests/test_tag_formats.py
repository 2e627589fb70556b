"""Genres in single files: written, and not a byte besides; and taken back."""

from __future__ import annotations

import multiprocessing
import os
import random
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import mutagen
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mutagen.apev2 import APEv2
from mutagen.id3 import COMM, ID3, TCON, TIT2, TXXX

from tag_files import (
    ANY_SONG,
    FORMATS,
    ID3V1,
    LYRICS,
    Song,
    bare_mp3,
    changed,
    chunk,
    genres,
    holds_in_order,
    packets,
    sound,
    write_song,
)
from topgenre import files
from topgenre.errors import TagError
from topgenre.tagging import rewrite
from topgenre.tagging.rewrite import read_genre, restore_genre, write_genre

needs_posix = pytest.mark.skipif(os.name != "posix", reason="permissions and locks of Unix")


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))


wanted_genres = st.sampled_from((["Jazz"], ["Jazz", "Дабстеп"], ["x" * 300], ["\uff01"], ["ÿ"]))


@pytest.fixture(scope="module")
def song_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name a file in a folder of its own, by no suffix that tells a format."""
    return tmp_path_factory.mktemp("song") / "song.bin"


# Any tags.


@pytest.mark.parametrize("kind", ANY_SONG)
def test_no_other_byte_changes_and_undo_gives_every_byte_back(kind: str, song_path: Path) -> None:
    @examples(25)
    @given(song=ANY_SONG[kind](), wanted=wanted_genres)
    def check(song: Song, wanted: list[str]) -> None:
        assert holds_in_order(song.data, song.kept)
        song_path.write_bytes(song.data)
        change = changed(song_path, wanted)
        written = song_path.read_bytes()
        assert genres(song_path) == wanted
        assert read_genre(song_path).agreed
        assert holds_in_order(written, song.kept)
        assert restore_genre(song_path, change).genres == change[0].genres
        assert song_path.read_bytes() == song.data
        # Where the file is not the one that was written, the genre comes back all the same.
        song_path.write_bytes(written)
        old, new = change
        restore_genre(song_path, (old, new._replace(raw={})))
        assert genres(song_path) == list(old.genres)
        assert holds_in_order(song_path.read_bytes(), song.kept)
        assert list(song_path.parent.iterdir()) == [song_path]

    check()


@pytest.mark.parametrize("name", FORMATS)
def test_other_programs_read_what_is_written_into_every_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(sound(name))
    before = packets(path)
    change = changed(path, ["Hip-Hop"])
    with av.open(str(path), "r") as container:
        metadata = {**container.metadata, **container.streams.audio[0].metadata}
    read = {key.casefold(): value for key, value in metadata.items()}
    assert read.get("genre", read.get("wm/genre")) == "Hip-Hop"
    assert packets(path) == before
    several = changed(path, ["Hip-Hop", "日本の, ロック/ポップ; ½"])
    assert by_mutagen(path) == ["Hip-Hop", "日本の, ロック/ポップ; ½"]
    assert packets(path) == before
    for each in (several, change):
        restore_genre(path, each)
    assert path.read_bytes() == sound(name)
    assert list(tmp_path.iterdir()) == [path]


def by_mutagen(path: Path) -> list[str]:
    """Give the genres that an independent reader finds."""
    tags = mutagen.File(path).tags
    keys = {key.casefold(): key for key in tags.keys()}  # noqa: SIM118 - not all are mappings
    for name in ("tcon", "genre", "\xa9gen", "wm/genre"):
        if name in keys:
            value = tags[keys[name]]
            found = value.genres if name == "tcon" else value
            return [each for text in found for each in str(text).split("\0")]
    return []


names = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=20
).filter(lambda name: name == name.strip() and TCON(text=[name]).genres == [name])
several = st.lists(names, min_size=1, max_size=4, unique=True)


@pytest.mark.parametrize("name", FORMATS)
def test_any_names_are_read_back(name: str, song_path: Path) -> None:
    @examples(6)
    @given(there=several, wanted=several)
    def check(there: list[str], wanted: list[str]) -> None:
        song_path.write_bytes(sound(name))
        first = changed(song_path, there)
        data = song_path.read_bytes()
        second = [changed(song_path, wanted)] if wanted != there else []
        assert genres(song_path) == by_mutagen(song_path) == wanted
        for change in second:
            restore_genre(song_path, change)
        assert song_path.read_bytes() == data
        restore_genre(song_path, first)
        assert song_path.read_bytes() == sound(name)

    check()


# Single kinds of tags.


def test_id3v1_in_any_code_page_changes_in_its_genre_alone(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    before = bare_mp3() + ID3V1 + b"\x08"
    path.write_bytes(before)
    assert genres(path) == ["Jazz"]
    numbered = changed(path, ["Hip-Hop"])
    assert path.read_bytes() == before[:-1] + b"\x07"
    # A name that has no number goes into ID3v2, and nothing else does.
    named = changed(path, ["Of my own"])
    assert [frame.FrameID for frame in ID3(path, load_v1=False).values()] == ["TCON"]
    assert path.read_bytes().endswith(ID3V1 + b"\xff")
    for change in (named, numbered):
        restore_genre(path, change)
    assert path.read_bytes() == before


def test_all_tags_of_a_file_say_the_same(tmp_path: Path) -> None:
    """ID3v2 in front, APEv2 and ID3v1 behind; ID3v2 in front of FLAC; INFO beside ID3 in WAV."""
    mp3, flac, wav = (tmp_path / name for name in ("a.mp3", "a.flac", "a.wav"))
    mp3.write_bytes(bare_mp3())
    items = APEv2()
    items["Genre"], items["Artist"] = "Polka", "Somebody"
    items.save(mp3)
    tags = ID3()
    tags.add(TIT2(text=["Title"]))
    tags.save(mp3, v1=0)
    mp3.write_bytes(mp3.read_bytes() + ID3V1 + b"\x11")
    assert genres(mp3) == ["Polka"]
    write_genre(mp3, ["Jazz"])
    assert APEv2(mp3)["Genre"] == "Jazz"
    assert mp3.read_bytes()[-1] == 8
    assert ID3(mp3, load_v1=False)["TCON"].genres == ["Jazz"]

    tags.add(TCON(text=["Polka"]))
    flac.write_bytes(sound("song.flac"))
    tags.save(flac)
    assert genres(flac) == ["Polka"]
    write_genre(flac, ["Jazz"])
    assert ID3(flac)["TCON"].genres == mutagen.File(flac)["genre"] == ["Jazz"]

    info = chunk(b"LIST", b"INFO" + chunk(b"IGNR", b"Polka\0", "little"), "little")
    data = sound("song.wav")
    size = len(data) + len(info) - 8
    wav.write_bytes(data[:4] + size.to_bytes(4, "little") + data[8:36] + info + data[36:])
    assert genres(wav) == ["Polka"]
    write_genre(wav, ["Jazz"])
    assert b"Polka" not in wav.read_bytes()
    assert b"IGNR\x05\0\0\0Jazz\0\0" in wav.read_bytes()
    assert by_mutagen(wav) == ["Jazz"]


def test_a_genre_in_a_place_unknown_here_counts(tmp_path: Path) -> None:
    """QuickTime has a genre outside the tags of iTunes."""
    data = sound("song.m4a")
    text = b"\0\x05\x55\xc4Polka"
    atom = (8 + len(text)).to_bytes(4, "big") + b"\xa9gen" + text
    udta = (8 + len(atom)).to_bytes(4, "big") + b"udta" + atom
    at = data.index(b"moov") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    rest = data[at + 4 : at + size].replace(b"udta", b"skip", 1)
    path = tmp_path / "song.mov"
    path.write_bytes(data[:at] + (size + len(udta)).to_bytes(4, "big") + rest + udta)
    assert genres(path) == ["Polka"]
    before = path.read_bytes()
    change = changed(path, ["Jazz"])
    with av.open(str(path)) as container:
        assert container.metadata["genre"] == "Jazz"
    restore_genre(path, change)
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", [b"\x01\xff\xfe", b"\0", b"\0 ", b"\0\0\0", b"\x03\0"])
def test_a_blank_genre_is_written_over_and_comes_back(text: bytes, tmp_path: Path) -> None:
    frame = b"TCON" + len(text).to_bytes(4, "big") + b"\0\0" + text
    path = tmp_path / "song.mp3"
    before = b"ID3\x03\0\0\0\0\0" + bytes([len(frame)]) + frame + bare_mp3()
    path.write_bytes(before)
    assert genres(path) == []
    change = changed(path, ["Jazz"])
    mutagen_adds_a_title(path)
    restore_genre(path, change)
    assert frame in path.read_bytes()
    assert genres(path) == []
    path.write_bytes(before)
    restore_genre(path, changed(path, ["Jazz"]))
    assert path.read_bytes() == before


def mutagen_adds_a_title(path: Path) -> None:
    """Do to a file what another program might: more tags, other padding, other versions."""
    file = mutagen.File(path)
    if isinstance(file.tags, ID3):
        file.tags.add(TIT2(encoding=3, text=["Another title"]))
        file.tags.add(COMM(encoding=3, lang="eng", desc="", text=["a comment " * 50]))
        file.save(v2_version=3, v23_sep=None) if file.tags.version[1] == 3 else file.save()
        return
    file.tags["\xa9nam" if path.suffix == ".m4a" else "title"] = ["Another title " * 50]
    file.save()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("there", [[], ["Polka"], ["Polka", "Waltz"]])
def test_undo_after_another_program_has_changed_other_tags(
    name: str, there: list[str], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(sound(name))
    if there:
        write_genre(path, there)
    change = changed(path, ["Jazz"])
    mutagen_adds_a_title(path)
    sounds = packets(path)
    restore_genre(path, change)
    assert genres(path) == there
    assert by_mutagen(path) == there
    assert b"Another title" in path.read_bytes().replace(b"\0", b"")
    assert packets(path) == sounds


@pytest.mark.parametrize("version", [3, 4])
def test_other_readers_find_every_frame_of_id3(version: int, tmp_path: Path) -> None:
    path = write_song(tmp_path / "song.mp3")
    tags = ID3()
    for frame in (
        *(TIT2(encoding=1, text=["Öde"]), TXXX(encoding=0, desc="mood", text=["dull", "grey"])),
        *(COMM(encoding=0, lang="deu", desc="", text=["so"]), TCON(encoding=0, text=["(17)"])),
    ):
        tags.add(frame)
    tags.save(path, v2_version=version, v23_sep=None)
    before = ID3(path, translate=False)
    assert genres(path) == ["Rock"]
    write_genre(path, ["Дабстеп", "R/B"])
    after = ID3(path, translate=False)
    assert after.version == before.version == (2, version, 0)
    assert after["TCON"].text == ["Дабстеп", "R/B"]
    assert {k: repr(v) for k, v in after.items() if k != "TCON"} == {
        k: repr(v) for k, v in before.items() if k != "TCON"
    }


# Healthy files that look odd.

ODD: dict[str, Callable[[], bytes]] = {
    "zeros.mp3": lambda: sound("song.mp3") + bytes(3000),
    "lyrics.mp3": lambda: sound("song.mp3") + LYRICS + ID3V1 + b"\x11",
    "id3v1.mp3": lambda: sound("song.mp3") + ID3V1 + b"\x11",
    "junk.mp3": lambda: sound("song.mp3") + random.Random(1).randbytes(1500),
    "flac.mp3": lambda: sound("song.flac"),
    "wav.flac": lambda: sound("song.wav"),
    "mp3.m4a": lambda: sound("song.mp3"),
    "m4a.mp3": lambda: sound("song.m4a"),
    "opus": lambda: sound("song.opus"),
    "piped.wav": lambda: with_sizes(0, 0),
    "open.wav": lambda: with_sizes(0xFFFFFFFF, 0xFFFFFFFF),
    "short.wav": lambda: sound("song.wav")[:-1000],
    "short.aiff": lambda: sound("song.aiff")[:-1000],
    "short.mp3": lambda: sound("song.mp3")[:-700],
    "short.flac": lambda: sound("song.flac")[:-700],
}


def with_sizes(total: int, size: int) -> bytes:
    data = sound("song.wav")
    at = data.index(b"data") + 4
    data = data[:at] + size.to_bytes(4, "little") + data[at + 4 :]
    return data[:4] + total.to_bytes(4, "little") + data[8:]


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_written_and_come_back_to_the_byte(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(ODD[name]())
    with av.open(str(path)) as container:
        frames = sum(frame.samples for frame in decoded(container))
    change = changed(path, ["Jazz", "Дабстеп"])
    assert genres(path) == ["Jazz", "Дабстеп"]
    with av.open(str(path)) as container:
        shown = {**container.metadata, **container.streams.audio[0].metadata}
        assert "Jazz" in shown.get("genre", shown.get("GENRE", ""))
        assert sum(frame.samples for frame in decoded(container)) == frames
    restore_genre(path, change)
    assert path.read_bytes() == ODD[name]()


def decoded(container: Any) -> Iterator[Any]:
    packets = container.demux(audio=0)
    while True:
        try:
            yield from next(packets).decode()
        except av.error.InvalidDataError:
            continue
        except (StopIteration, av.error.EOFError):
            return


def test_what_cannot_be_kept_is_refused_with_a_reason(tmp_path: Path) -> None:
    """A checksum over the frames, which no program that plays music looks at."""
    extended = (10).to_bytes(4, "big") + b"\x80\0" + bytes(4) + b"\x12\x34\x56\x78"
    frame = b"TCON\0\0\0\x05\0\0\0Rock"
    body = extended + frame
    path = tmp_path / "song.mp3"
    path.write_bytes(b"ID3\x03\0\x40\0\0\0" + bytes([len(body)]) + body + bare_mp3())
    before = path.read_bytes()
    assert genres(path) == ["Rock"]
    with pytest.raises(TagError, match="its ID3 tag has a checksum; it was not changed"):
        write_genre(path, ["Jazz"])
    assert path.read_bytes() == before


@examples(80)
@given(
    name=st.sampled_from(list(FORMATS)),
    at=st.floats(0, 1),
    size=st.integers(1, 30),
    seed=st.integers(0, 999),
)
@example("song.m4a", 0.01, 4, 1)
def test_damage_is_refused_or_survived(
    song_path: Path, name: str, at: float, size: int, seed: int
) -> None:
    data = bytearray(sound(name))
    place = int(at * (len(data) - size))
    data[place : place + size] = random.Random(seed).randbytes(size)
    song_path.write_bytes(data)
    change = None
    with suppress(TagError):
        change = changed(song_path, ["Jazz"])
    if change:
        assert genres(song_path) == ["Jazz"]
        restore_genre(song_path, change)
    assert song_path.read_bytes() == data
    assert list(song_path.parent.iterdir()) == [song_path]


# The file as the system sees it.


@needs_posix
def test_links_permissions_times_and_attributes(tmp_path: Path) -> None:
    path = write_song(tmp_path / "real" / "song.mp3")
    path.chmod(0o640)
    attributes = {}
    if hasattr(os, "setxattr"):
        try:
            os.setxattr(path, "user.rating", b"5")
            attributes = {"user.rating": b"5"}
        except OSError:
            pass  # not every disk has them
    os.utime(path, ns=(10**18, 10**18))
    link = tmp_path / "link.mp3"
    link.symlink_to(path)
    write_genre(link, ["Rock"], preserve_mtime=True)
    assert link.is_symlink()
    assert genres(path) == ["Rock"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_mtime_ns == 10**18
    for name, value in attributes.items():
        assert os.getxattr(path, name) == value
    write_genre(link, ["Pop"])
    assert path.stat().st_mtime_ns > 10**18
    assert [entry.name for entry in path.parent.iterdir()] == ["song.mp3"]


def in_the_middle(path: Path, what: Callable[[Path], None]) -> str:
    """Write a genre, do something when the copy is ready, and give the error."""
    with pytest.raises(TagError) as raised:
        write_genre(path, ["Jazz"], commit=lambda _old, _new: what(path))
    return str(raised.value)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-10, os.SEEK_END)
        file.write(b"changed")


def overwrite_and_hide(path: Path) -> None:
    before = path.stat()
    overwrite(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_other(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(sound("song.flac"))
    other.replace(path)


def copy_of(path: Path) -> Path:
    (part,) = path.parent.glob(".topgenre-*.part")
    return part


def swap_the_copy(path: Path) -> None:
    part = copy_of(path)
    part.unlink()
    part.write_bytes(b"half a song")


def link_the_copy(path: Path) -> None:
    part = copy_of(path)
    part.unlink()
    part.symlink_to(path.with_name("elsewhere"))


@needs_posix
@pytest.mark.parametrize(
    "what", [overwrite, overwrite_and_hide, replace_by_other, swap_the_copy, link_the_copy]
)
def test_a_change_by_others_in_the_middle_is_noticed(
    what: Callable[[Path], None], tmp_path: Path
) -> None:
    path = write_song(tmp_path / "song.mp3")
    untouched = path.read_bytes()
    said = in_the_middle(path, what)
    assert "another program" in said
    if "copy" in what.__name__:
        assert path.read_bytes() == untouched
    else:
        assert b"changed" in path.read_bytes() or path.read_bytes() == sound("song.flac")


@needs_posix
def test_a_song_that_another_topgenre_holds_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_song(tmp_path / "song.mp3")
    before = path.read_bytes()
    monkeypatch.setattr(rewrite, "_WAIT", 0.2)
    with path.open("rb") as held:
        assert files.lock(held)
        with pytest.raises(TagError, match="another topgenre is writing to it"):
            write_genre(path, ["Jazz"])
    assert path.read_bytes() == before
    write_genre(path, ["Jazz"])
    assert genres(path) == ["Jazz"]


def _write_often(path: str, name: str, times: int) -> None:
    for number in range(times):
        write_genre(path, [f"{name} {number}"])


@needs_posix
def test_many_writers_at_once_leave_the_song_whole(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(sound("song.wav"))
    path.chmod(0o644)
    before = packets(path)
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_write_often, args=(str(path), name, 8)) for name in ("a", "b", "c")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert packets(path) == before
    assert genres(path)[0].endswith(" 7")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def _die_in_the_middle(path: str) -> None:
    write_genre(path, ["Jazz"], commit=lambda _old, _new: os._exit(9))


@needs_posix
def test_what_a_killed_run_left_behind_goes_and_nothing_else(tmp_path: Path) -> None:
    path = write_song(tmp_path / "song.mp3")
    before = path.read_bytes()
    dying = multiprocessing.get_context("spawn").Process(
        target=_die_in_the_middle, args=(str(path),)
    )
    dying.start()
    dying.join(60)
    assert dying.exitcode == 9
    left = copy_of(path)
    assert stat.S_IMODE(left.stat().st_mode) == 0o600 or left.stat().st_mode & 0o077 == 0o044
    assert path.read_bytes() == before
    # Names that look like it, and a copy that somebody is still writing.
    others = [tmp_path / ".topgenre-0123456789abcdef-01234567.part", tmp_path / ".topgenre-1.part"]
    for other in others:
        other.write_bytes(b"mine")
    with files.new_part(path) as (alive, _file):
        files.sweep(tmp_path, again=True)
        assert alive.exists()
        assert not left.exists()
    write_genre(path, ["Jazz"])
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])


@needs_posix
def test_a_file_of_somebody_else_or_without_permission_is_left(tmp_path: Path) -> None:
    path = write_song(tmp_path / "song.mp3")
    path.chmod(0o400)
    with pytest.raises(TagError, match="it is read-only"):
        write_genre(path, ["Jazz"])
    fifo = tmp_path / "pipe.mp3"
    os.mkfifo(fifo)
    end = time.monotonic() + 30
    with pytest.raises(TagError, match="a folder, a device or a pipe"):
        read_genre(fifo)
    assert time.monotonic() < end
