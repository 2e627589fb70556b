"""What the fuzzer feeds with bytes, and what must hold whatever they are.

Each function returns, or raises what no user may ever see.
"""

from __future__ import annotations

import io
import math
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from topgenre import preprocessed
from topgenre.audio import SAMPLE_RATE, load_segment, load_windows
from topgenre.errors import AudioError, PreprocessedFileError, TagError, TopgenreError
from topgenre.library.tags import read_tags
from topgenre.spectrograms import CHANNELS, CONTEXT, HOP_LENGTH, network_input
from topgenre.tagging.formats import GenreTag
from topgenre.tagging.rewrite import read_genre, restore_genre, write_genre

SEPARATOR = b"|||"  # between the members of a preprocessed file that is put together here
_ROOM = bytes(1025 * 4 * 64)  # for the values behind an array's header

_folder = tempfile.TemporaryDirectory(prefix="topgenre-fuzz-")


def audio(data: bytes) -> None:
    """Decode a sound: its middle, or, for one input in two, the whole of it."""
    if len(data) % 2:
        _whole(data)
        return
    seconds = 10.0
    try:
        segment = load_segment(io.BytesIO(data), seconds=seconds, name="input")
    except AudioError as error:
        _check_message(error)
        return
    assert segment.samples.dtype == np.float32
    assert SAMPLE_RATE <= len(segment.samples) <= seconds * SAMPLE_RATE
    assert np.isfinite(segment.samples).all()
    assert 0 <= segment.start <= segment.end < math.inf


def _whole(data: bytes) -> None:
    done = 0.0
    file = io.BytesIO(data)
    try:
        for windows in load_windows(file, grid=HOP_LENGTH, context=CONTEXT, name="input"):
            assert np.isfinite(windows.samples).all()
            assert windows.offsets
            assert all(offset % HOP_LENGTH == 0 for offset in windows.offsets)
            assert windows.offsets[-1] + windows.length <= len(windows.samples)
            assert done < windows.done <= 1
            done = windows.done
    except AudioError as error:
        _check_message(error)


def preprocessed_file(data: bytes) -> None:
    """Load a preprocessed file, and make the network's input of it."""
    path = Path(_folder.name, "input.npz")
    path.write_bytes(data if data.startswith(b"PK") else _archive(data))
    try:
        loaded = preprocessed.load(path)
    except PreprocessedFileError as error:
        _check_message(error)
        return
    assert 0 <= loaded.start <= loaded.end < math.inf
    assert loaded.duration is None or 0 <= loaded.duration < math.inf
    assert np.isfinite(network_input(loaded)).all()


def tags(data: bytes) -> None:
    """Read tags, write a genre, and take it back; or leave the file to the last byte as it is."""
    path = Path(_folder.name, "input.mp3")
    path.write_bytes(data)
    read_tags(str(path))
    try:
        before = read_genre(path)
        after = write_genre(path, ["Rock", "Jäzz"])
    except TagError as error:
        _check_message(error)
        assert path.read_bytes() == data
    else:
        assert after.genres == ("Rock", "Jäzz"), after
        assert read_genre(path) == after
        written = path.read_bytes()
        try:
            restored = restore_genre(path, before.raw)
        except TagError as error:
            _check_message(error)
            assert path.read_bytes() == written
        else:
            # MP4 keeps an empty list of tags where there was none.
            assert _genre(restored) == _genre(before), (restored, before)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def _genre(tag: GenreTag) -> dict[str, Any]:
    return tag.raw | ({"tags": None} if tag.raw["format"] == "mp4" else {})


def _archive(data: bytes) -> bytes:
    """Put members together with right checksums, which damage in a whole file never has."""
    file = io.BytesIO()
    names = ("metadata", *CHANNELS)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in zip(names, data.split(SEPARATOR), strict=False):
            room = b"" if name == "metadata" else _ROOM
            archive.writestr(f"{name}.npy", content + room)
    return file.getvalue()


def _check_message(error: TopgenreError) -> None:
    message = str(error)
    assert "input" in message, message
    assert "\n" not in message, message


TARGETS: dict[str, Callable[[bytes], None]] = {
    "audio": audio,
    "preprocessed": preprocessed_file,
    "tags": tags,
}
