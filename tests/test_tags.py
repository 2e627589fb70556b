"""Artist, title, album and genre, whatever a file is called and whoever wrote its tags."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import mutagen
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from mutagen import id3

from tag_files import Song, mp3_songs, sound
from topgenre.library.tags import read_tags

FRAMES: tuple[Any, ...] = (id3.TPE1, id3.TIT2, id3.TALB, id3.TCON)
TAGS = ("Ärtist", "Title", "Album", "Jazz")
KEYS = {
    ".m4a": ("\xa9ART", "\xa9nam", "\xa9alb", "\xa9gen"),
    ".wma": ("Author", "Title", "WM/AlbumTitle", "WM/Genre"),
}


def tagged(path: Path, name: str) -> Path:
    path.write_bytes(sound(name))
    file = mutagen.File(path)
    if path.suffix in (".mp3", ".wav", ".aiff"):
        if file.tags is None:
            file.add_tags()
        for frame, text in zip(FRAMES, TAGS, strict=True):
            file.tags.add(frame(encoding=3, text=[text]))
    else:
        keys = KEYS.get(path.suffix, ("artist", "title", "album", "genre"))
        for key, text in zip(keys, TAGS, strict=True):
            file[key] = text
    file.save()
    return path


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav", ".aiff"])
@pytest.mark.parametrize("called", [None, ".mp3", ".flac", ".music"])
def test_tags_do_not_depend_on_the_name(tmp_path: Path, suffix: str, called: str | None) -> None:
    path = tagged(tmp_path / f"song{suffix}", f"song{suffix}")
    if called:
        path = path.rename(path.with_suffix(called))
    assert read_tags(str(path)) == TAGS
    with path.open("rb") as file:
        assert read_tags(file) == TAGS


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(mp3_songs())
def test_songs_have_the_same_tags_by_name_and_as_a_stream(
    tmp_path_factory: pytest.TempPathFactory, song: Song
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.mp3"
    path.write_bytes(song.data)
    assert read_tags(str(path)) == read_tags(io.BytesIO(song.data))


@pytest.mark.parametrize(
    ("container", "codec", "suffix"),
    [("wav", "pcm_s16le", ".wav"), ("matroska", "aac", ".mka"), ("mov", "aac", ".mov")],
)
def test_tags_that_only_ffmpeg_reads(
    tmp_path: Path, container: str, codec: str, suffix: str
) -> None:
    path = tmp_path / f"song{suffix}"
    with av.open(str(path), "w", format=container) as output:
        output.metadata.update(dict(zip(("artist", "title", "album", "genre"), TAGS, strict=True)))
        stream = output.add_stream(codec, rate=44_100, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        shape, form = ((1, 88_200), "s16") if suffix == ".wav" else ((2, 44_100), "fltp")
        kind = np.int16 if suffix == ".wav" else np.float32
        frame = av.AudioFrame.from_ndarray(np.zeros(shape, kind), format=form, layout="stereo")
        frame.sample_rate = 44_100
        output.mux([*stream.encode(frame), *stream.encode(None)])
    assert read_tags(str(path)) == TAGS


@pytest.mark.parametrize("data", [b"", b"ID3", b"\xff\xfb\x90\x00", b"RIFF....WAVE", b"OggS"])
def test_what_is_no_music_has_no_tags(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(data)
    assert read_tags(str(path)) == (None,) * 4
    assert read_tags(str(tmp_path)) == (None,) * 4
