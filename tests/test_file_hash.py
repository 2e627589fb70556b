"""The fingerprint by which a scan recognises files that have moved."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from topgenre.errors import SourceNotFoundError
from topgenre.library.analysis import file_hash

MIB = 1 << 20


def hash_of(data: bytes, path: Path) -> bytes:
    path.write_bytes(data)
    return file_hash(str(path))


@pytest.mark.parametrize("size", [0, 1, 1000, MIB])
def test_small_files_are_hashed_whole(size: int, tmp_path: Path) -> None:
    data = np.random.default_rng(size).bytes(size)
    assert hash_of(data, tmp_path / "a") == hashlib.sha256(data).digest()


@pytest.mark.parametrize("size", [MIB + 1, 5 * MIB + 77])
def test_what_tells_large_files_apart(size: int, tmp_path: Path) -> None:
    data = np.random.default_rng(size).bytes(size)
    known = hash_of(data, tmp_path / "a")
    assert hash_of(data, tmp_path / "b") == known
    others = [data[:-1], data + b"\0"]
    # Tags at both ends, the analysed sound in the middle, and re-encoded sound anywhere.
    others += [
        data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        for place in (0, 200_000, size // 2, size - 200_000, size - 1)
    ]
    for first in np.linspace(0, size - size // 32, 9).astype(int):
        part = np.random.default_rng(first).bytes(size // 32)
        others.append(data[:first] + part + data[first + len(part) :])
    found = {hash_of(other, tmp_path / "c") for other in others}
    assert len(found) == len(others)
    assert known not in found


def test_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="cannot be read"):
        file_hash(str(tmp_path / "none.mp3"))
