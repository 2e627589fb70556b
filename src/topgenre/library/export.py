"""A catalogue as a table for other programs: CSV, NDJSON or Parquet.

Songs are written one by one, so that a library of any size fits into memory.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from topgenre.errors import OutputError
from topgenre.files import replacing
from topgenre.library.catalogue import Catalogue
from topgenre.library.song import Song
from topgenre.text import json_safe

_N_RANKED = 3
_NAMES = (
    *("path", "size", "mtime_ns", "missing", "scanned_at", "duration"),
    *("genre_1", "probability_1", "genre_2", "probability_2", "genre_3", "probability_3"),
    *("uncertain", "segment_start", "segment_end", "artist", "title", "album", "genre_tag"),
    *("model", "model_hash", "hash", "error_code", "error", "probabilities"),
)
_OLDEST = _NAMES[:3]  # columns by which a table is known as one of ours
_ROWS_AT_ONCE = 5000  # of a Parquet file, which is written in groups


def export(catalogue: Catalogue, path: str | os.PathLike[str]) -> int:
    """Write all rows of a catalogue to a file whose suffix says in which form.

    Parameters
    ----------
    catalogue : Catalogue
    path : path-like
        ``.csv``, ``.ndjson``, ``.jsonl`` or ``.parquet``; a table that topgenre has written is
        replaced, whole or not at all, and no other file is.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    OutputError
        If the suffix is another one, the file cannot be written, or pyarrow is not there for
        Parquet.
    CatalogueError
        If the catalogue cannot be read.
    """
    target = Path(path)
    write = check_name(target)
    count = 0

    def counted() -> Iterator[Song]:
        nonlocal count
        for count, song in enumerate(catalogue.songs(), 1):  # noqa: B007 - the count is the use
            yield song

    with replacing(target, partial(_ours, target)) as part:
        write(counted(), part)
    return count


def check_name(path: Path) -> Callable[[Iterable[Song], Path], None]:
    """Return what writes a file of this name; refuse it where that is nothing."""
    writers = {
        ".csv": _write_csv,
        ".ndjson": _write_ndjson,
        ".jsonl": _write_ndjson,
        ".parquet": _write_parquet,
    }
    write = writers.get(path.suffix.lower())
    if write is None:
        raise OutputError(
            f"{path}: a table cannot be written as {path.suffix or 'a file without a suffix'}; "
            f"use one of {', '.join(writers)}"
        )
    if write is _write_parquet:
        try:
            import_module("pyarrow.parquet")
        except ImportError as error:
            raise OutputError(
                f"{path}: Parquet needs pyarrow; run `pip install 'topgenre[parquet]'`, or write "
                ".csv or .ndjson"
            ) from error
    return write


def _ours(path: Path, head: bytes) -> bool:
    """Tell whether a table is one that `export` has written."""
    if head.startswith(b"PAR1"):
        with suppress(Exception):  # whatever pyarrow says to what is not Parquet
            names = import_module("pyarrow.parquet").read_schema(path).names
            return set(_OLDEST) <= set(names)
        return False
    return head.startswith((",".join(_OLDEST).encode(), b'{"path": '))


def _write_ndjson(songs: Iterable[Song], path: Path) -> None:
    with path.open("w", encoding="ascii") as file:
        for song in songs:
            file.write(f"{json.dumps(json_safe(song.to_dict()))}\n")


def _write_csv(songs: Iterable[Song], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _NAMES, lineterminator="\n")
        writer.writeheader()
        for song in songs:
            row = _row(song)
            if row["probabilities"]:
                row["probabilities"] = json.dumps(row["probabilities"])
            for name in ("missing", "uncertain"):
                row[name] = None if row[name] is None else str(row[name]).lower()
            writer.writerow(row)


def parquet_schema() -> Any:
    """Return the columns of a Parquet table of songs, as pyarrow has them."""
    arrow = import_module("pyarrow")
    text, number = arrow.string(), arrow.float64()
    types = {
        **dict.fromkeys(_NAMES, text),
        **dict.fromkeys(("size", "mtime_ns"), arrow.int64()),
        **dict.fromkeys(("missing", "uncertain"), arrow.bool_()),
        **dict.fromkeys(("duration", "segment_start", "segment_end"), number),
        **{f"probability_{place}": number for place in range(1, _N_RANKED + 1)},
        "probabilities": arrow.map_(text, number),
        "embedding": arrow.list_(arrow.float32()),
    }
    return arrow.schema(types)


def parquet_row(song: Song) -> dict[str, Any]:
    """Return a song's row of a table with `parquet_schema`."""
    row = _row(song)
    if song.analysis:
        row["probabilities"] = list(row["probabilities"].items())
        row["embedding"] = song.analysis.embedding.tolist()
    return row


def _write_parquet(songs: Iterable[Song], path: Path) -> None:
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    schema = parquet_schema()
    rows: list[dict[str, Any]] = []
    with parquet.ParquetWriter(path, schema) as writer:
        for song in songs:
            rows.append(parquet_row(song))
            if len(rows) == _ROWS_AT_ONCE:
                writer.write_table(arrow.Table.from_pylist(rows, schema))
                rows.clear()
        writer.write_table(arrow.Table.from_pylist(rows, schema))


def _row(song: Song) -> dict[str, Any]:
    """Lay a song out flat, under the names of the catalogue's columns."""
    row: dict[str, Any] = dict.fromkeys(_NAMES)
    row |= {
        "path": json_safe(song.path),
        "size": song.size,
        "mtime_ns": song.mtime_ns,
        "missing": song.missing,
        "scanned_at": song.scanned_at,
        "model_hash": song.model_hash.hex(),
        "error_code": song.error_code,
        "error": song.error,
    }
    if song.analysis is None:
        return row
    result, tags = song.analysis.result, song.analysis.tags
    for place, genre in enumerate(result.top(_N_RANKED), 1):
        row[f"genre_{place}"], row[f"probability_{place}"] = genre
    return row | {
        "probabilities": dict(result.genres),
        "uncertain": result.uncertain,
        "duration": result.duration,
        "segment_start": result.start,
        "segment_end": result.end,
        "artist": tags.artist,
        "title": tags.title,
        "album": tags.album,
        "genre_tag": tags.genre,
        "model": result.model,
        "hash": song.analysis.hash.hex(),
    }
