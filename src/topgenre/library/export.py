"""Export a catalogue as a table for other programs: CSV, NDJSON or Parquet.

Songs are written one by one, so a library of any size fits into memory.
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
from topgenre.library.fields import TABLE, VECTOR, json_of
from topgenre.library.song import Song
from topgenre.text import csv_cell, json_safe

_FIRST = tuple(field.name for field in TABLE[:3])  # columns that mark our tables
_ROWS_AT_ONCE = 5000  # per row group of a Parquet file


def export(catalogue: Catalogue, path: str | os.PathLike[str]) -> int:
    """Write all rows of a catalogue to a file, in the format of its suffix.

    Parameters
    ----------
    catalogue : Catalogue
    path : path-like
        ``.csv``, ``.ndjson``, ``.jsonl`` or ``.parquet``; only a table that topgenre has written
        is replaced, in one step.

    Returns
    -------
    int
        Number of rows written.

    Raises
    ------
    OutputError
        If the suffix is another one, the file cannot be written, or pyarrow is missing.
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
    """Return the function that writes this format; raises OutputError if unknown."""
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
    """Return whether `export` wrote a file."""
    if head.startswith(b"PAR1"):
        with suppress(Exception):  # pyarrow raises many kinds for damaged files
            names = import_module("pyarrow.parquet").read_schema(path).names
            return bool(names[: len(_FIRST)] == list(_FIRST))
        return False
    return head.startswith((",".join(_FIRST).encode(), b'{"path": '))


def parquet_schema() -> Any:
    """Return the pyarrow schema of a table of songs."""
    arrow = import_module("pyarrow")
    return arrow.schema(
        {field.name: field.kind.arrow(arrow) for field in TABLE if field.kind.arrow}
    )


def table_row(song: Song) -> dict[str, Any]:
    """Return the row of a song in a table with `parquet_schema`."""
    values = [(field, field.of(song)) for field in TABLE]
    return {
        field.name: None if value is None else field.kind.cell(value) for field, value in values
    }


def _write_ndjson(songs: Iterable[Song], path: Path) -> None:
    with path.open("w", encoding="ascii") as file:
        for song in songs:
            file.write(f"{json.dumps(json_safe(json_of(song)))}\n")


def _write_csv(songs: Iterable[Song], path: Path) -> None:
    names = [field.name for field in TABLE if field.kind is not VECTOR]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for song in songs:
            row = table_row(song)
            writer.writerow([_text(row[name]) for name in names])


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return json.dumps(dict(value))
    return csv_cell(value)


def _write_parquet(songs: Iterable[Song], path: Path) -> None:
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    schema = parquet_schema()
    rows: list[dict[str, Any]] = []
    with parquet.ParquetWriter(path, schema) as writer:
        for song in songs:
            rows.append(table_row(song))
            if len(rows) == _ROWS_AT_ONCE:
                writer.write_table(arrow.Table.from_pylist(rows, schema))
                rows.clear()
        writer.write_table(arrow.Table.from_pylist(rows, schema))
