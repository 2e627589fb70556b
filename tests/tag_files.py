"""Music files with tags of any bytes, put together without the code under test."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import av
import mutagen
from hypothesis import strategies as st
from mutagen.ogg import OggPage

from audio_files import encode, noise
from topgenre.tagging.formats import GenreTag
from topgenre.tagging.rewrite import read_genre, write_genre

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

Change = tuple[GenreTag, GenreTag]
Order = Literal["big", "little"]


@cache
def sound(name: str) -> bytes:
    container, codec = FORMATS[name]
    rate = 48_000 if codec == "libopus" else 44_100
    return encode(noise(0.5, rate, 2), rate, container, codec, 96_000)


@cache
def bare_mp3() -> bytes:
    """Give the frames of an MP3 and nothing else."""
    options = {"id3v2_version": "0", "write_xing": "0"}
    return encode(noise(0.5, 44_100), 44_100, "mp3", "libmp3lame", 96_000, options=options)


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


def genres(path: Path) -> list[str]:
    return list(read_genre(path).genres)


def changed(path: Path, names: Sequence[str], **options: Any) -> Change:
    """Write genres, and give what a journal would keep of it."""
    noted: list[Change] = []
    write_genre(path, names, commit=lambda old, new: noted.append((old, new)), **options)
    (change,) = noted
    return change


# Any tags.


class Song(NamedTuple):
    """A file, and what must be found in it, in this order, whatever its genre is."""

    data: bytes
    kept: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"<{len(self.data)} bytes: {self.data[:300]!r} ... {self.data[-300:]!r}>"


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
anything = st.binary(max_size=40)
ID3V1 = (
    b"TAG"
    + "Полюшко-поле".encode("cp1251").ljust(30, b"\0")
    + "Хоровод".encode("cp1251").ljust(60, b"\0")
    + b"1975"
    + bytes(30)
)
LYRICS = b"LYRICSBEGININD0000200LYR00005la la000027LYRICS200"


@st.composite
def id3(draw: st.DrawFn, versions: Sequence[int] = (2, 3, 4)) -> tuple[bytes, tuple[bytes, ...]]:
    """Give an ID3v2 tag, and all its frames that are not genres."""
    version = draw(st.sampled_from(versions))
    names = {
        2: (b"TT2", b"TST", b"COM", b"XYZ", b"ULT", b"WXX"),
        3: (b"TIT2", b"USLT", b"WXXX", b"TXXX", b"COMM", b"XYZW"),
    }
    frames, kept = [], []

    def frame(name: bytes, body: bytes, flags: bytes = b"\0\0") -> bytes:
        if version == 2:
            return name + len(body).to_bytes(3, "big") + body
        return name + len(body).to_bytes(4, "big") + flags + body

    for _ in range(draw(st.integers(0, 5))):
        name = draw(st.sampled_from(names[min(version, 3)]))
        made = frame(name, draw(st.binary(min_size=1, max_size=40)))
        frames.append(made)
        kept.append(made)
    texts = (b"\0(17)", b"\0Polka\0Waltz", b"\x01\xff\xfe", b"\x01\xff\xfeP\0o\0p\0", b"\0")
    for _ in range(draw(st.integers(0, 2))):
        text = draw(st.sampled_from(texts))
        made = frame(b"TCO" if version == 2 else b"TCON", text)
        frames.insert(draw(st.integers(0, len(frames))), made)
    body = b"".join(frames) + bytes(draw(st.sampled_from((0, 5, 300))))
    flags = 0
    if version == 3 and draw(st.booleans()):
        flags = 0x80
        body = stuffed(body)
        kept = [stuffed(made) for made in kept]
    size = bytes((len(body) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes([version, 0, flags]) + size + body, tuple(kept)


def stuffed(data: bytes) -> bytes:
    return re.sub(rb"\xff(?=[\xe0-\xff\x00])", b"\xff\0", data)


@st.composite
def ape(draw: st.DrawFn) -> tuple[bytes, tuple[bytes, ...]]:
    """Give an APEv2 tag, and all its items that are not genres."""

    def item(key: bytes, value: bytes, flags: int = 0) -> bytes:
        return struct.pack("<II", len(value), flags) + key + b"\0" + value

    keys = st.sampled_from((b"Artist", b"ARTIST", b"Title", b"Cover Art (Front)", b"\xc3\xa9"))
    kept = [
        item(draw(keys), draw(anything), draw(st.sampled_from((0, 2))))
        for _ in range(draw(st.integers(0, 4)))
    ]
    items = list(kept)
    if draw(st.booleans()):
        items.insert(draw(st.integers(0, len(items))), item(b"genre", b"Polka\0Waltz"))
    body = b"".join(items)
    headed = draw(st.booleans())

    def frame(flags: int) -> bytes:
        numbers = (2000, len(body) + 32, len(items), flags | headed << 31)
        return b"APETAGEX" + struct.pack("<IIII", *numbers) + bytes(8)

    return (frame(1 << 29) if headed else b"") + body + frame(0), tuple(kept)


@st.composite
def mp3_songs(draw: st.DrawFn) -> Song:
    front, kept = draw(st.one_of(st.just((b"", ())), id3()))
    behind, items = draw(st.one_of(st.just((b"", ())), ape()))
    tail = draw(st.sampled_from((b"", LYRICS, bytes(700))))
    last = draw(st.sampled_from((b"", ID3V1 + b"\x11", ID3V1 + b"\xff")))
    if tail and behind:
        tail = b""  # an APE tag is looked for right before ID3v1, or before Lyrics3
    kept = (*kept, bare_mp3(), *items, *([tail] if tail else []), *([last[:-1]] if last else []))
    return Song(front + bare_mp3() + behind + tail + last, kept)


def comments(pairs: Sequence[bytes], vendor: bytes = b"somebody") -> bytes:
    listed = b"".join(struct.pack("<I", len(pair)) + pair for pair in pairs)
    return struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(pairs)) + listed


@st.composite
def vorbis(draw: st.DrawFn) -> tuple[bytes, tuple[bytes, ...]]:
    keys = st.sampled_from((b"TITLE", b"title", b"ARTIST", b"Gr\xf6\xdfe", b"NOTHING", b""))
    kept = [draw(keys) + b"=" + draw(anything) for _ in range(draw(st.integers(0, 5)))]
    kept.append(b"ARTIST=Mot\xf6rhead")
    pairs = list(kept)
    for _ in range(draw(st.integers(0, 2))):
        pair = draw(st.sampled_from((b"GENRE=Polka", b"genre=", b"Genre=\xe9")))
        pairs.insert(draw(st.integers(0, len(pairs))), pair)
    return comments(pairs), tuple(struct.pack("<I", len(pair)) + pair for pair in kept)


@st.composite
def flac_songs(draw: st.DrawFn) -> Song:
    data = sound("song.flac")
    info = data[8:42]
    at = 4
    while True:
        last, at = data[at] & 0x80, at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
        if last:
            break
    blocks, kept = [(0, info)], [info]
    if draw(st.booleans()):
        made, pairs = draw(vorbis())
        blocks.append((4, made))
        kept += pairs
    if draw(st.booleans()):
        block = draw(st.sampled_from(((1, bytes(60)), (1, b""), (2, b"APPLwhatever"))))
        blocks.append(block)
    heads = [
        bytes([kind | (0x80 if number == len(blocks) else 0)]) + len(body).to_bytes(3, "big")
        for number, (kind, body) in enumerate(blocks, 1)
    ]
    made = b"".join(head + body for head, (_, body) in zip(heads, blocks, strict=True))
    front, frames = draw(st.one_of(st.just((b"", ())), id3((3, 4))))
    kept = [*frames, *kept, data[at:]]
    return Song(front + b"fLaC" + made + data[at:], tuple(kept))


@st.composite
def ogg_songs(draw: st.DrawFn) -> Song:
    name = draw(st.sampled_from(("song.ogg", "song.opus", "song.oga")))
    file = io.BytesIO(sound(name))
    first = OggPage(file)
    pages = [OggPage(file)]
    while not (pages[-1].complete or len(pages[-1].packets) > 1):
        pages.append(OggPage(file))
    old, *rest = OggPage.to_packets(pages, strict=False)
    made, kept = draw(vorbis())
    large = draw(st.sampled_from((0, 500, 64_400, 65_000, 130_000)))
    if large:
        pair = b"LYRICS=" + b"la " * (large // 3)
        count = struct.unpack_from("<I", made, 12)[0]
        made = made[:12] + struct.pack("<I", count + 1) + made[16:] + struct.pack("<I", len(pair))
        made += pair
        kept = (*kept, b"LYRICS=")
    padding = bytes(draw(st.sampled_from((0, 0, 200))))
    if name == "song.ogg":
        packet = b"\x03vorbis" + made + b"\x01" + padding
    elif name == "song.opus":
        packet = b"OpusTags" + made + draw(st.sampled_from((padding, b"\x01binary")))
    else:
        packet = old[:1] + len(made).to_bytes(3, "big") + made
    new = OggPage.from_packets([packet, *rest], pages[0].sequence)
    for page in new:
        page.serial = first.serial
    out = io.BytesIO(sound(name))
    OggPage.replace(out, pages, new)
    return Song(out.getvalue(), kept if not large else kept[:-1])


Chunk = tuple[bytes, bytes]


def chunk(name: bytes, body: bytes, order: Order, size: int | None = None) -> bytes:
    stated = len(body) if size is None else size
    return name + stated.to_bytes(4, order) + body + b"\0" * (len(body) % 2)


def _chunks(data: bytes, order: Order) -> list[Chunk]:
    found, at = [], 12
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], order)
        found.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return [each for each in found if each[0] != b"LIST"]


@st.composite
def chunked_songs(draw: st.DrawFn) -> Song:
    big = draw(st.booleans())
    order: Order = "big" if big else "little"
    data = sound("song.aiff" if big else "song.wav")
    kind = "normal" if big else draw(st.sampled_from(("normal", "zero", "open", "rf64", "odd")))
    before = _chunks(data, order)
    behind: list[Chunk] = []
    kept: list[bytes] = []
    name, payload = before.pop()
    if kind == "odd":
        payload = payload[:-4] + b"odd"
    if draw(st.booleans()):
        before.insert(draw(st.integers(1, len(before))), (b"junk", draw(anything)))
    if draw(st.booleans()) and not big:
        texts = [(b"INAM", b"Title\0"), (b"IART", b"Mot\xf6rhead\0"), (b"IGNR", b"Polka\0")]
        picked = draw(st.lists(st.sampled_from(texts), unique=True))
        listed = b"".join(chunk(*each, order) for each in picked)
        behind.append((b"LIST", b"INFO" + listed))
        kept += [text for label, text in picked if label != b"IGNR"]
    if draw(st.booleans()):
        made, frames = draw(id3())
        behind.append((b"ID3 " if big else b"id3 ", made))
        kept += frames
    if kind in ("zero", "open") or draw(st.booleans()):
        # Where the sound goes on to the end of the file, nothing can be behind it.
        before, behind, kept = [*before, *behind], [], [*kept, payload]
    else:
        kept = [payload, *kept]
    wide = kind in ("open", "rf64")
    size_of_sound = 0 if kind == "zero" else 0xFFFFFFFF if wide else len(payload)
    body = b"".join(chunk(*each, order) for each in before)
    body += chunk(name, payload, order, size_of_sound)
    body += b"".join(chunk(*each, order) for each in behind)
    if kind == "rf64":
        lengths = struct.pack("<QQQI", len(body) + 4 + 36, len(payload), 0, 0)
        body = chunk(b"ds64", lengths, order) + body
    total = 0 if kind == "zero" else 0xFFFFFFFF if wide else len(body) + 4
    head = b"RF64" if kind == "rf64" else data[:4]
    front, front_frames = draw(id3((3,))) if draw(st.booleans()) and not big else (b"", ())
    whole = front + head + total.to_bytes(4, order) + data[8:12] + body
    return Song(whole, (*front_frames, *kept))


@st.composite
def ape_songs(draw: st.DrawFn) -> Song:
    made, kept = draw(ape())
    payload = sound("song.wv")
    last = draw(st.sampled_from((b"", ID3V1 + b"\x11")))
    return Song(payload + made + last, (payload, *kept, *([last[:-1]] if last else [])))


@st.composite
def mutagen_songs(draw: st.DrawFn, name: str) -> Song:
    """Let mutagen write tags that it may well write."""
    file = io.BytesIO(sound(name))
    if name.endswith(".m4a") and draw(st.booleans()):
        file = io.BytesIO(with_table_in_front(sound(name)))
    found = mutagen.File(file)
    if found.tags is None:
        found.add_tags()
    kept = []
    for number in range(draw(st.integers(0, 3))):
        text = draw(words.filter(str.strip)).strip()
        if name.endswith(".m4a"):
            found.tags[f"----:org.example:NUMBER{number}"] = [text.encode()]
            kept.append(text.encode())
        else:
            found.tags[f"Number{number}"] = [text]
            kept.append(text.encode("utf-16-le"))
    genre = "\xa9gen" if name.endswith(".m4a") else "WM/Genre"
    if draw(st.booleans()):
        found.tags[genre] = draw(st.sampled_from((["Polka"], ["Polka", "Waltz"], [" "])))
    padding = draw(st.sampled_from((0, 10, 300)))
    file.seek(0)
    found.save(file, padding=lambda _info: padding)
    return Song(file.getvalue(), ())


def with_table_in_front(data: bytes) -> bytes:
    """Put the table of contents of an MP4 before the sound, as for streaming."""
    boxes, at = {}, 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        boxes[data[at + 4 : at + 8]] = data[at : at + size]
        at += size
    table = boxes.pop(b"moov")
    at = table.index(b"stco")
    count = int.from_bytes(table[at + 8 : at + 12], "big")
    form = f">{count}I"
    moved = [offset + len(table) for offset in struct.unpack_from(form, table, at + 12)]
    table = table[: at + 12] + struct.pack(form, *moved) + table[at + 12 + 4 * count :]
    return boxes.pop(b"ftyp") + table + b"".join(boxes.values())


ANY_SONG: dict[str, Callable[[], st.SearchStrategy[Song]]] = {
    "mp3": mp3_songs,
    "flac": flac_songs,
    "ogg": ogg_songs,
    "chunks": chunked_songs,
    "ape": ape_songs,
    "mp4": lambda: mutagen_songs("song.m4a"),
    "asf": lambda: mutagen_songs("song.wma"),
}


def holds_in_order(data: bytes, parts: Sequence[bytes]) -> bool:
    """Tell whether parts stand in bytes, one behind the other."""
    at = 0
    for part in parts:
        found = data.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True
