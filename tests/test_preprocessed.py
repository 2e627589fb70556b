"""The preprocessed file: what comes back, and what hostile bytes meet."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import signals
from topgenre import preprocessed
from topgenre.audio import Segment
from topgenre.errors import OutputError, PreprocessedFileError, SourceNotFoundError
from topgenre.spectrograms import CHANNELS, Spectrograms, compute


@pytest.fixture(scope="module")
def stack() -> Spectrograms:
    return compute(Segment(signals.music(2.0), 12.5, 14.5, ("short",)), "a song.mp3")


@pytest.fixture
def saved(stack: Spectrograms, tmp_path: Path) -> Path:
    path = tmp_path / "song.npz"
    preprocessed.save(stack, path)
    return path


def rewrite(path: Path, **members: bytes) -> None:
    """Replace members of the archive."""
    with zipfile.ZipFile(path) as archive:
        old = {name: archive.read(name) for name in archive.namelist()}
    old.update({f"{name}.npy": data for name, data in members.items()})
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in old.items():
            archive.writestr(name, data)


def npy(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def test_everything_comes_back(stack: Spectrograms, saved: Path) -> None:
    loaded = preprocessed.load(saved)
    for channel in CHANNELS:
        np.testing.assert_array_equal(getattr(loaded, channel), getattr(stack, channel))
    assert (loaded.start, loaded.end, loaded.source) == (12.5, 14.5, "a song.mp3")
    assert loaded.notices == ("short",)


def test_numpy_alone_can_read_it(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as archive:
        metadata = json.loads(archive["metadata"].tobytes())
        assert archive["full"].shape[0] == 1025
    assert metadata["format"] == 1
    assert metadata["parameters"]["n_fft"] == 2048
    assert metadata["segment"] == {"start": 12.5, "end": 14.5}


def test_name_must_say_what_it_is(stack: Spectrograms, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.npz"):
        preprocessed.save(stack, tmp_path / "song.png")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"nowhere\.npz"):
        preprocessed.load(tmp_path / "nowhere.npz")


def test_pickles_are_never_opened(saved: Path, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (trap,)  # type: ignore[return-value]

    rewrite(saved, onset=npy(np.array([Bomb()], object), allow_pickle=True))
    with pytest.raises(PreprocessedFileError):
        preprocessed.load(saved)
    assert not trap.exists()


def test_a_header_that_promises_too_much_is_refused(saved: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1025, 1000000000), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    rewrite(saved, full=b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(PreprocessedFileError, match="1000000000"):
        preprocessed.load(saved)


@pytest.mark.parametrize(
    "array",
    [
        np.full((4, 87), np.nan, np.float32),
        np.full((4, 87), -1, np.float32),
        np.zeros((4, 86), np.float32),
        np.zeros((3, 87), np.float32),
        np.zeros((4, 87), np.float64),
        np.zeros((4, 87), np.float32, order="F"),
    ],
    ids=["nan", "negative", "frames", "bands", "float64", "fortran"],
)
def test_contradictions_are_refused(saved: Path, array: np.ndarray) -> None:
    rewrite(saved, onset=npy(array))
    with pytest.raises(PreprocessedFileError, match=r"song\.npz"):
        preprocessed.load(saved)


def test_another_version_is_refused(saved: Path) -> None:
    text = json.dumps({"format": 99, "parameters": {}}).encode()
    rewrite(saved, metadata=npy(np.frombuffer(text, np.uint8)))
    with pytest.raises(PreprocessedFileError, match="another version"):
        preprocessed.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"duration": float("inf")},
        {"duration": float("nan")},
        {"duration": -1},
        {"segment": {"start": 0, "end": float("inf")}},
        {"segment": {"start": float("nan"), "end": 1}},
    ],
    ids=str,
)
def test_impossible_times_are_refused(saved: Path, change: dict[str, object]) -> None:
    with np.load(saved) as archive:
        metadata = json.loads(archive["metadata"].tobytes())
    text = json.dumps(metadata | change).encode()
    rewrite(saved, metadata=npy(np.frombuffer(text, np.uint8)))
    with pytest.raises(PreprocessedFileError, match="contradict"):
        preprocessed.load(saved)


def test_a_message_is_one_line_whatever_the_file_says(saved: Path) -> None:
    header = b"{'descr': '<f4',\n'fortran_order': False,\r 'shape': ('\x1b[31m\\n', 4), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    rewrite(saved, full=b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(PreprocessedFileError, match=r"song\.npz") as caught:
        preprocessed.load(saved)
    assert str(caught.value).isprintable()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "song.npz")
    with pytest.raises(SourceNotFoundError, match="pipe"):
        preprocessed.load(tmp_path / "song.npz")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_gives_one_clean_error_or_none(saved: Path, data: st.DataObject) -> None:
    content = bytearray(saved.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    for _ in range(data.draw(st.integers(1, 8))):
        # Headers lie at the ends; damage in the middle is only another number.
        distance = min(data.draw(st.integers(1, 2000)), len(content))
        if distance:
            content[distance * data.draw(st.sampled_from([1, -1])) % len(content)] = 0xA5
    damaged = saved.with_name("damaged.npz")
    damaged.write_bytes(content)
    problem = None
    try:
        preprocessed.load(damaged)
    except PreprocessedFileError as error:
        problem = str(error)
    assert problem is None or ("damaged.npz" in problem and "\n" not in problem)
