"""Checksum of a model file: the last metadata entry is a SHA-256 of all before it.

ONNX Runtime notices damage to a file's structure, but computes with weights that are not what they
were. A file is a protocol-buffer message, to whose end another entry can simply be added.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from topgenre.files import ANYTHING, write_whole

_KEY = b"topgenre.sha256"
_DIGITS = 64
_ENTRY = bytes([0x0A, len(_KEY)]) + _KEY + bytes([0x12, _DIGITS])  # key and value are 1 and 2
_HEAD = bytes([14 << 3 | 2, len(_ENTRY) + _DIGITS]) + _ENTRY  # of `metadata_props`, field 14


def stamped(data: bytes) -> bytes:
    """Return a model file's content with a new checksum."""
    body, _ = _split(data)
    return body + _HEAD + _digest(body)


def intact(data: bytes) -> bool:
    """Return whether a model file's checksum is right or missing."""
    body, digest = _split(data)
    return digest is None or digest == _digest(body)


def stamp(path: str | os.PathLike[str]) -> None:
    """Add the checksum to a model file of a version without one."""
    target = Path(path).resolve()
    write_whole(target, stamped(target.read_bytes()), ANYTHING)


def _split(data: bytes) -> tuple[bytes, bytes | None]:
    end = len(data) - _DIGITS
    if data.endswith(_HEAD, 0, max(0, end)):
        return data[: end - len(_HEAD)], data[end:]
    return data, None


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
