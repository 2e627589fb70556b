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

import numpy as np

from topgenre import files, preprocessed
from topgenre.audio import SAMPLE_RATE, load_segment, load_windows
from topgenre.errors import AudioError, PreprocessedFileError, TagError, TopgenreError
from topgenre.library.tags import read_tags
from topgenre.spectrograms import CHANNELS, network_input
from topgenre.tagging.formats import GenreTag
from topgenre.tagging.journal import Journal
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
    last = -1.0
    try:
        for window in load_windows(io.BytesIO(data), name="input"):
            assert np.isfinite(window.samples).all()
            assert len(window.samples) >= SAMPLE_RATE
            assert window.duration is not None
            assert last < window.start < window.end <= window.duration
            last = window.start
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
    """Read tags, write a genre, and take it back to the byte; or leave the file as it is."""
    path = Path(_folder.name, "input.mp3")
    path.write_bytes(data)
    read_tags(str(path))
    noted: list[tuple[GenreTag, GenreTag]] = []
    genres = ("Rock", "Jäzz")
    try:
        write_genre(path, genres, commit=lambda old, new: noted.append((old, new)))
    except TagError as error:
        _check_message(error)
        assert path.read_bytes() == data
    else:
        assert read_genre(path).genres == genres
        written = path.read_bytes()
        for old, new in noted:
            if "undo" in new.raw:
                restore_genre(path, (old, new))
                assert path.read_bytes() == data
            # As if another program had changed something else since.
            path.write_bytes(written)
            try:
                restored = restore_genre(path, (old, new._replace(raw={})))
            except TagError as error:
                _check_message(error)
                assert path.read_bytes() == written
            else:
                assert restored.genres == old.genres, (restored, old)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    path.unlink()


def journal(data: bytes) -> None:
    """Open a file as a journal and write a line; what is not a journal keeps every byte."""
    path = Path(_folder.name, "input.ndjson")
    path.write_bytes(data)
    try:
        with Journal(path) as opened:
            entries = opened.entries()
            assert path.read_bytes() == data
            opened.note("song", GenreTag((), {}), GenreTag(("Rock",), {}))
    except TagError as error:
        _check_message(error)
        assert path.read_bytes() == data
    else:
        with Journal(path) as opened:
            _, *others = opened.entries()
        assert others == entries
        # All that may go is an unfinished last line.
        assert path.read_bytes().startswith(data[: data.rfind(b"\n") + 1])
    path.unlink()


def parts(data: bytes) -> None:
    """Sweep a folder with a file of any name; only what is certainly ours goes."""
    folder = Path(_folder.name)
    name = data[:100].decode("utf-8", "replace").replace("/", "_").replace("\0", "_")
    other = folder / f".topgenre-{name}.part"
    other.write_bytes(data)
    with files.new_part(folder / "song") as (part, file):
        file.write(data)
        files.sweep(folder, again=True)
        assert part.exists()
    assert other.read_bytes() == data
    other.unlink()
    assert not list(folder.iterdir())


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
    "journal": journal,
    "parts": parts,
}
