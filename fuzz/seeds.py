"""Seeds for the fuzzer: small files of every kind that the targets read, all synthesised.

``python fuzz/seeds.py FOLDER`` writes them to ``FOLDER/audio`` and so on, by the targets' names.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import mutagen
import numpy as np
from mutagen.id3 import APIC, CHAP, COMM, CTOC, ID3, TCON, TIT2, TXXX, CTOCFlags

from audio_files import Floats, encode, noise
from targets import SEPARATOR
from topgenre import preprocessed
from topgenre.audio import SAMPLE_RATE, Segment
from topgenre.spectrograms import CHANNELS, compute
from topgenre.tagging.formats import GenreTag
from topgenre.tagging.journal import Journal

_SECONDS = 1.3  # little more than the shortest sound that is judged
_BIT_RATE = 32_000

# File name, container and codec as FFmpeg calls them, and a sample rate that the codec takes.
_FORMATS = (
    *((f"wav-{c}.wav", "wav", c, 8_000) for c in ("pcm_u8", "pcm_s16le", "pcm_s24le")),
    *((f"wav-{c}.wav", "wav", c, 8_000) for c in ("pcm_f32le", "pcm_f64le", "pcm_mulaw")),
    *((f"wav-{c}.wav", "wav", c, 8_000) for c in ("pcm_alaw", "adpcm_ms")),
    ("wav-ima.wav", "wav", "adpcm_ima_wav", 8_000),
    ("wav-mp3.wav", "wav", "libmp3lame", 16_000),
    ("wave64.w64", "w64", "pcm_s16le", 8_000),
    ("flac.flac", "flac", "flac", 16_000),
    ("aiff.aiff", "aiff", "pcm_s16be", 8_000),
    ("au.au", "au", "pcm_mulaw", 8_000),
    ("caf.caf", "caf", "pcm_s16be", 8_000),
    ("caf-alac.caf", "caf", "alac", 16_000),
    ("voc.voc", "voc", "pcm_u8", 8_000),
    ("mp3.mp3", "mp3", "libmp3lame", 16_000),
    ("mp2.mp2", "mp2", "mp2", 16_000),
    ("vorbis.ogg", "ogg", "vorbis", 16_000),
    ("opus.opus", "ogg", "libopus", 16_000),
    ("ogg-flac.oga", "ogg", "flac", 16_000),
    ("aac.aac", "adts", "aac", 16_000),
    ("loas.loas", "latm", "aac", 16_000),
    ("aac.m4a", "ipod", "aac", 16_000),
    ("alac.m4a", "ipod", "alac", 16_000),
    ("aac.mov", "mov", "aac", 16_000),
    ("pcm.mov", "mov", "pcm_s16be", 8_000),
    ("aac.3gp", "3gp", "aac", 16_000),
    ("wma1.wma", "asf", "wmav1", 16_000),
    ("wma2.wma", "asf", "wmav2", 16_000),
    ("ac3.ac3", "ac3", "ac3", 32_000),
    ("eac3.eac3", "eac3", "eac3", 32_000),
    ("opus.webm", "webm", "libopus", 16_000),
    ("flac.mka", "matroska", "flac", 16_000),
    ("mp3.mka", "matroska", "libmp3lame", 16_000),
    ("aac.ts", "mpegts", "aac", 16_000),
    ("mp2.mpg", "mpeg", "mp2", 16_000),
    ("mp3.avi", "avi", "libmp3lame", 16_000),
    ("aac.flv", "flv", "aac", 44_100),
    ("wavpack.wv", "wv", "wavpack", 8_000),
    ("tta.tta", "tta", "tta", 8_000),
    ("amr.amr", "amr", "libopencore_amrnb", 8_000),
)  # fmt: skip

_TAGGED = {
    *("wav-pcm_u8.wav", "aiff.aiff", "flac.flac", "vorbis.ogg", "opus.opus", "ogg-flac.oga"),
    *("aac.m4a", "alac.m4a", "wma2.wma", "wavpack.wv"),
}


def audio() -> Iterator[tuple[str, bytes]]:
    """Give sounds in all formats that this FFmpeg can write."""
    for name, container, codec, rate in _FORMATS:
        n_channels = 2 if codec == "vorbis" else 1
        bit_rate = None if codec.startswith(("pcm", "adpcm")) else _BIT_RATE
        try:
            yield name, encode(noise(_SECONDS, rate, n_channels), rate, container, codec, bit_rate)
        except (av.error.FFmpegError, ValueError):  # av's UnknownCodecError is one
            sys.stderr.write(f"{name}: this FFmpeg cannot write it\n")
    yield "fragments.m4a", _encoded("mp4", "aac", {"movflags": "frag_keyframe+empty_moov"})
    yield "joined.ogg", 2 * _encoded("ogg", "libopus", {})
    yield "tagged.mp3", _with_id3(_encoded("mp3", "libmp3lame", {}))


def preprocessed_files() -> Iterator[tuple[str, bytes]]:
    """Give preprocessed files, and members of such for the fuzzer to put together."""
    silence = np.zeros(round(_SECONDS * SAMPLE_RATE), np.float32)
    with TemporaryDirectory() as folder:
        path = Path(folder, "seed.npz")
        preprocessed.save(compute(Segment(silence, 0.0, _SECONDS, ("short",)), "song"), path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    yield "deflated.npz", file.getvalue()
    heads = [members["metadata.npy"], *(members[f"{name}.npy"][:128] for name in CHANNELS)]
    yield "members", SEPARATOR.join(heads)


def tags() -> Iterator[tuple[str, bytes]]:
    """Give songs with many tags, and with none, in all formats whose tags are written."""
    for name, data in audio():
        if name in _TAGGED:
            yield f"bare-{name}", data
            yield f"tagged-{name}", _with_tags(data)
    song = _encoded("mp3", "libmp3lame", {})
    yield "bare.mp3", song
    for version in (3, 4):
        yield f"id3v2.{version}.mp3", _with_id3(song, version)
    yield "id3v1.mp3", song + b"TAG" + b"title".ljust(30, b"\0") + bytes(94) + b"\x11"
    yield "id3v2.2.mp3", b"ID3\2\0\0\0\0\0\x17" + b"TCO\0\0\5\0(17)" + b"TT2\0\0\6\0title" + song
    file = io.BytesIO(song)
    tag = mutagen.apev2.APEv2()
    tag["Genre"], tag["Title"] = "Rock", "title"
    tag.save(file)
    yield "ape.mp3", file.getvalue()


def journals() -> Iterator[tuple[str, bytes]]:
    """Give journals of some changes, whole and cut short."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "journal")
        with Journal(path) as journal:
            for number in range(3):
                journal.note(f"{number}", GenreTag((), {}), GenreTag(("Rock",), {"tags": {}}))
            journal.forget(journal.entries()[1])
        data = path.read_bytes()
    yield "whole", data
    yield "unfinished", data[:-20]
    yield "unended", data[:-1]
    yield "damaged", data.replace(b",", b"\r", 1)
    yield "empty", b""


def parts() -> Iterator[tuple[str, bytes]]:
    """Give names that look like those of copies."""
    yield "copy", b"0123456789abcdef-01234567"
    yield "other", b"x"


def _encoded(container: str, codec: str, options: dict[str, str]) -> bytes:
    sound: Floats = noise(_SECONDS, 16_000)
    return encode(sound, 16_000, container, codec, _BIT_RATE, options=options)


def _with_id3(song: bytes, version: int = 4) -> bytes:
    file = io.BytesIO(song)
    tag = ID3()
    tag.add(TIT2(encoding=3, text=["title"]))
    tag.add(TCON(encoding=1, text=["(17)(4)", "Chanson"]))
    tag.add(TXXX(encoding=3, desc="key", text=["value"]))
    tag.add(COMM(encoding=0, lang="eng", desc="", text=["comment"]))
    tag.add(APIC(encoding=0, mime="image/png", type=3, desc="", data=b"\x89PNG" + bytes(20)))
    tag.add(CTOC(element_id="toc", flags=CTOCFlags.TOP_LEVEL, child_element_ids=["one"]))
    tag.add(CHAP(element_id="one", start_time=0, end_time=9, start_offset=0, end_offset=9))
    tag.save(file, v2_version=version)
    return file.getvalue()


def _with_tags(data: bytes) -> bytes:
    file = io.BytesIO(data)
    found = mutagen.File(file)
    if found.tags is None:
        found.add_tags()
    name = type(found.tags).__name__
    if "ID3" in name:
        found.tags.add(TCON(encoding=3, text=["Rock"]))
        found.tags.add(TIT2(encoding=3, text=["title"]))
    elif name == "MP4Tags":
        found.tags["\xa9gen"], found.tags["\xa9nam"] = ["Rock"], ["title"]
    elif name == "ASFTags":
        found.tags["WM/Genre"], found.tags["Title"] = ["Rock"], ["title"]
    else:
        found.tags["genre"], found.tags["title"] = ["Rock"], ["title"]
    file.seek(0)
    found.save(file)
    return file.getvalue()


def write(folder: Path) -> None:
    """Write all seeds."""
    surfaces = {
        "audio": audio,
        "preprocessed": preprocessed_files,
        "tags": tags,
        "journal": journals,
        "parts": parts,
    }
    for surface, seeds in surfaces.items():
        target = folder / surface
        target.mkdir(parents=True, exist_ok=True)
        for name, data in seeds():
            (target / name).write_bytes(data)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
