"""The checksum of a model file: its last metadata entry holds a SHA-256 over all that is before it.

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
    """Return a model file's content with its checksum, in the place of any that it had."""
    body, _ = _split(data)
    return body + _HEAD + _digest(body)


def intact(data: bytes) -> bool:
    """Tell whether a model file's content has the right checksum, or none."""
    body, digest = _split(data)
    return digest is None or digest == _digest(body)


def stamp(path: str | os.PathLike[str]) -> None:
    """Put the checksum into a model file that has none yet, such as one of an older version."""
    target = Path(path).resolve()
    write_whole(target, stamped(target.read_bytes()), ANYTHING)


def _split(data: bytes) -> tuple[bytes, bytes | None]:
    end = len(data) - _DIGITS
    if data.endswith(_HEAD, 0, max(0, end)):
        return data[: end - len(_HEAD)], data[end:]
    return data, None


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
