"""Analyse one song: its hash, genres, embedding and tags."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from topgenre.errors import SourceNotFoundError
from topgenre.library.catalogue import Catalogue, model_hash
from topgenre.library.song import Analysis
from topgenre.library.tags import read_tags

if TYPE_CHECKING:
    from topgenre.classifier import Classifier

_HASHED_WHOLE = 1 << 20  # bytes
_LARGE_PART, _PART, _PARTS = 1 << 18, 1 << 12, 64


def analyse_song(
    classifier: Classifier, path: str, *, content: bytes | None = None, name: str | None = None
) -> Analysis:
    """Analyse a file: its hash, result, embedding and tags.

    Parameters
    ----------
    classifier : Classifier
    path : str
    content : bytes, optional
        The file's `file_hash`, if known.
    name : str, optional
        Name of the file in the result and in errors; by default its path.

    Raises
    ------
    TopgenreError
        As `topgenre.classifier.Classifier.classify` does.
    """
    from topgenre.classifier import analyse

    content = content or file_hash(path)
    spectrograms = analyse(path, name=name)
    result, embedding = classifier.classify_and_embed(spectrograms)
    result = replace(result, path=name or path)
    return Analysis(content, result, embedding, read_tags(path))


def known_or_analysed(
    catalogue: Catalogue, path: str, model: str | os.PathLike[str] | None = None
) -> Analysis:
    """Look a file up in a catalogue by its content, or analyse it.

    Raises
    ------
    TopgenreError
        As `analyse_song` does, and if the catalogue cannot be read.
    """
    content = file_hash(path)
    known = catalogue.find(content, model_hash(model))
    if known:
        return known
    from topgenre.classifier import load

    return analyse_song(load(model), path, content=content)


def file_hash(path: str) -> bytes:
    """Return a hash of a file's content, by which `scan` recognises moved files.

    For files of up to 1 MiB, this is the SHA-256 of all bytes. For larger ones, it is the SHA-256
    of the size, of the first, middle and last 256 KiB, where tags and the analysed sound lie, and
    of 4 KiB in each 64th of the file. Less would overlook changed tags; reading everything takes
    longer than decoding.

    Raises
    ------
    SourceNotFoundError
        If the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return content_hash(file)
    except IsADirectoryError as error:
        raise SourceNotFoundError(f"{path}: this is a folder; name a file in it") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise SourceNotFoundError(
            f"{path}: cannot be read ({reason}); check the file and its permissions"
        ) from error


def content_hash(file: BinaryIO) -> bytes:
    """Return the `file_hash` of an open file."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    if size <= _HASHED_WHOLE:
        return hashlib.sha256(file.read()).digest()
    digest = hashlib.sha256(size.to_bytes(8, "little"))
    parts = [(0, _LARGE_PART), ((size - _LARGE_PART) // 2, _LARGE_PART)]
    parts += [(size * part // _PARTS, _PART) for part in range(1, _PARTS)]
    parts += [(size - _LARGE_PART, _LARGE_PART)]
    for offset, length in parts:
        file.seek(offset)
        digest.update(file.read(length))
    return digest.digest()
