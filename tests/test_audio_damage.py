"""Damaged files give a segment or one of topgenre's errors: no crash, no hang, no other error.

``TOPGENRE_DAMAGE_FILES`` sets how many files are tried.
"""

import faulthandler
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from audio_files import FORMATS, sample
from topgenre.audio import SAMPLE_RATE, Segment, load_segment
from topgenre.errors import AudioError

FILES = int(os.environ.get("TOPGENRE_DAMAGE_FILES", "300"))
SECONDS_PER_FILE = 60

Damage = Callable[[bytearray, np.random.Generator], None]


def flip_bits(data: bytearray, rng: np.random.Generator) -> None:
    for at in rng.integers(len(data), size=rng.integers(1, 200)):
        data[at] ^= 1 << int(rng.integers(8))


def flip_header_bits(data: bytearray, rng: np.random.Generator) -> None:
    for at in rng.integers(min(len(data), 256), size=rng.integers(1, 8)):
        data[at] ^= 1 << int(rng.integers(8))


def exaggerate_header(data: bytearray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(4, min(len(data), 256)))
        value = rng.choice(
            [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4)]
        )
        data[at : at + 4] = bytes(value).ljust(4, b"\0")


def exaggerate_anywhere(data: bytearray, rng: np.random.Generator) -> None:
    for at in rng.integers(len(data), size=rng.integers(1, 40)):
        data[at : at + 4] = b"\xff\xff\xff\xff" if rng.random() < 0.5 else bytes(4)


def truncate(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(len(data) * rng.random() ** 2) :]


def behead(data: bytearray, rng: np.random.Generator) -> None:
    del data[: int(len(data) * rng.random() ** 2)]


def blank_block(data: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(data)))
    size = min(int(rng.integers(1, len(data))), len(data) - at)
    data[at : at + size] = bytes(size)


def randomise_block(data: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(data)))
    size = min(int(rng.integers(1, 20_000)), len(data) - at)
    data[at : at + size] = rng.bytes(size)


def repeat_block(data: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(data)))
    data[at:at] = data[at : at + int(rng.integers(1, 100_000))]


def join_another(data: bytearray, rng: np.random.Generator) -> None:
    other = sample(str(rng.choice(list(FORMATS))), 12.0)
    data[int(rng.integers(len(data))) :] = other


KINDS: list[Damage] = [
    flip_bits,
    flip_header_bits,
    exaggerate_header,
    exaggerate_anywhere,
    truncate,
    behead,
    blank_block,
    randomise_block,
    repeat_block,
    join_another,
]


def damaged_files(count: int) -> Iterator[tuple[str, bytes]]:
    """Give names and contents; a seed per file, so that any one can be made again."""
    for number in range(count):
        rng = np.random.default_rng(number)
        form = str(rng.choice(list(FORMATS)))
        data = bytearray(sample(form, 12.0))
        kinds = [KINDS[i] for i in rng.choice(len(KINDS), size=rng.integers(1, 3), replace=False)]
        for kind in kinds:
            if len(data) > 16:
                kind(data, rng)
        extension = str(rng.choice([*FORMATS, "txt", "m3u8", "png"])).split("-")[0]
        kind_names = "+".join(kind.__name__ for kind in kinds)
        yield f"{number}-{form}-{kind_names}.{extension}", bytes(data)


@pytest.fixture
def watchdog() -> Iterator[Callable[[], None]]:
    """Give a function to call before each file; a file that hangs then ends the test run."""
    yield lambda: faulthandler.dump_traceback_later(SECONDS_PER_FILE, exit=True)
    faulthandler.cancel_dump_traceback_later()


def check(path: Path) -> str:
    """Load a file and tell how it went."""
    try:
        segment = load_segment(path)
    except AudioError as error:
        message = str(error)
        assert path.name in message
        assert message.isprintable()
        return error.code
    assert isinstance(segment, Segment)
    assert segment.samples.dtype == np.float32
    assert SAMPLE_RATE <= len(segment.samples) <= 10 * SAMPLE_RATE
    assert np.isfinite(segment.samples).all()
    return "segment"


def test_damaged_files_give_a_segment_or_an_audio_error(
    tmp_path: Path, watchdog: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    outcomes = []
    for name, data in damaged_files(FILES):
        watchdog()
        path = tmp_path / name
        path.write_bytes(data)
        outcomes.append(check(path))
        path.unlink()
    assert capfd.readouterr() == ("", "")
    # Both ends must be met, or the damage would be too slight or too great to test anything.
    assert "segment" in outcomes
    assert {"damaged_audio", "not_audio"} <= set(outcomes)


@pytest.mark.parametrize("form", FORMATS)
def test_every_truncation_of_a_header_is_refused_cleanly(
    form: str, tmp_path: Path, watchdog: Callable[[], None]
) -> None:
    data = sample(form, 12.0)
    for size in [0, 1, 2, 3, 4, 8, 12, 16, 32, 44, 64, 100, 200, 400]:
        watchdog()
        path = tmp_path / f"{size}.{form}"
        path.write_bytes(data[:size])
        assert check(path) != "segment"


def test_damage_is_the_same_in_every_run() -> None:
    first = [zlib.crc32(data) for _, data in damaged_files(5)]
    assert first == [zlib.crc32(data) for _, data in damaged_files(5)]
