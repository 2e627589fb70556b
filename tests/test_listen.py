"""`topgenre listen` and what lies under it: sound that arrives through a pipe."""

from __future__ import annotations

import io
import json
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import signals
import topgenre
from topgenre.audio import stream
from topgenre.errors import NotAudioError
from topgenre.live import Samples, listen

COMMAND = [sys.executable, "-m", "topgenre", "listen"]


def wav(samples: Samples, rate: int = 22_050, size: int = 0xFFFF_FFFF) -> bytes:
    """Return 16-bit WAV as a program writes it that knows no size beforehand."""
    head = struct.pack("<4sI4s", b"RIFF", size, b"WAVE")
    head += struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    head += struct.pack("<4sI", b"LIST", 4) + b"abcd" + struct.pack("<4sI", b"data", size)
    return head + raw(samples)


def raw(samples: Samples) -> bytes:
    return np.round(samples.clip(-1, 1) * 32767).astype("<i2").tobytes()


def run(data: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *options], input=data, capture_output=True, check=False)


@pytest.fixture(scope="module")
def classifier() -> topgenre.Classifier:
    return topgenre.load()


def test_it_prints_a_line_when_the_label_changes() -> None:
    silence = np.zeros(8 * signals.SAMPLE_RATE, np.float32)
    done = run(wav(np.concatenate([signals.music(8), silence])))
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.decode().splitlines()
    assert first.startswith("  0:05  ")
    assert last.split() == ["0:12", "Silence"]


def test_json_has_an_object_for_each_second() -> None:
    done = run(raw(signals.music(6)), "--json", "--rate", "22050")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["time"] for line in lines] == [3, 4, 5, 6]
    assert [line["changed"] for line in lines] == [False, False, True, False]
    assert all(sum(g["probability"] for g in line["genres"]) == pytest.approx(1, abs=1e-4)
               for line in lines)  # fmt: skip


def test_raw_stereo_counts_as_its_mean() -> None:
    left, right = signals.music(4), signals.noise(4)
    both = raw(np.stack([left, right], 1).ravel())
    layout = stream.PcmFormat(22_050, 2)
    (mono,) = [np.concatenate(list(stream.blocks(io.BytesIO(both), layout)))]
    assert mono == pytest.approx((left.clip(-1, 1) + right.clip(-1, 1)) / 2, abs=1e-4)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"ID3 is no WAV at all", "not WAV"),
        (
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 2, 1, 8000, 1, 1, 4),
            "damaged",
        ),
        (wav(signals.music(1)), "3 s"),
    ],
)
def test_what_cannot_be_heard_is_said_in_a_line(data: bytes, words: str) -> None:
    done = run(data)
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("error: standard input: ")
    assert words in line


def test_a_file_is_not_taken() -> None:
    done = run(b"", "song.wav")
    assert done.returncode == 2
    assert b"pipe the sound into it" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_it_ends_on_ctrl_c() -> None:
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(wav(signals.music(6)))
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"  0:05  ")  # while the pipe is open
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr
        assert process.stderr.read().strip() == b"stopped"


def test_the_blocks_do_not_matter(classifier: topgenre.Classifier) -> None:
    sound = signals.music(5)

    def answers(size: int) -> list[tuple[float, str]]:
        blocks = (sound[first : first + size] for first in range(0, len(sound), size))
        return [(heard.time, heard.result.verdict) for heard in listen(blocks, classifier)
                if heard.result]  # fmt: skip

    assert answers(1_000) == answers(22_050) == answers(len(sound))


def test_memory_does_not_grow(classifier: topgenre.Classifier) -> None:
    """An hour of sound is heard with the last ten seconds of it in hand."""
    second = signals.music(1)
    alive = 0

    def blocks() -> Iterator[Samples]:
        for _ in range(14):
            yield second.copy()

    for heard in listen(blocks(), classifier):
        assert heard.result
        alive = max(alive, round(heard.result.end - heard.result.start))
    assert alive == 10


@settings(max_examples=40, deadline=None)
@given(
    rate=st.sampled_from([8_000, 22_050, 44_100, 48_000]),
    channels=st.integers(1, 3),
    kind=st.sampled_from([(1, False), (2, False), (3, False), (4, False), (4, True), (8, True)]),
    data=st.binary(max_size=4_000),
)
def test_any_bytes_are_sound_of_a_layout(
    rate: int, channels: int, kind: tuple[int, bool], data: bytes
) -> None:
    layout = stream.PcmFormat(rate, channels, *kind)
    for block in stream.blocks(io.BytesIO(data), layout):
        assert block.dtype == np.float32
        assert np.isfinite(block).all()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_header_is_read_or_refused(data: bytes) -> None:
    head = b"RIFF\0\0\0\0WAVE"
    try:
        layout = stream.read_wav_header(io.BytesIO(head + data), "it")
    except NotAudioError as error:
        assert str(error).startswith("it: ")  # noqa: PT017
    else:
        assert layout.channels
