"""Keep the folder of Parquet files, one per partition, on a disk or behind a URL."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from topgenre.cluster.listing import File, imported, is_url
from topgenre.errors import OutputError, TopgenreError, one_line
from topgenre.files import make_folder, write_whole
from topgenre.library.export import parquet_schema
from topgenre.text import json_safe

_PER_PARTITION = 256  # files, at most: half a minute of work that a lost machine may cost
_MANIFEST = "_topgenre.json"  # readers of tables pass over names with an underscore


def partition(files: Iterable[File], digits: int, model: bytes) -> dict[str, list[File]]:
    """Divide files by the hash of their path.

    Returns
    -------
    dict of str to list of File
        By the name of the Parquet file, which changes with any of its files and with the model.
    """
    buckets: dict[str, list[File]] = defaultdict(list)
    for file in files:
        buckets[_hash(file.path)[:digits]].append(file)
    partitions = {}
    for bucket, members in buckets.items():
        members.sort()
        state = _hash(model.hex() + json.dumps(members))[:16]
        partitions[f"part-{bucket}-{state}.parquet"] = members
    return partitions


class Store:
    """The folder of Parquet files.

    Parameters
    ----------
    out : str
        Path or URL.
    """

    def __init__(self, out: str) -> None:
        self._out = out.rstrip("/")
        self._remote = is_url(out)
        self._system: Any = None
        if self._remote:
            with self._explained():
                self._system, self._root = imported("fsspec").core.url_to_fs(self._out)
        else:
            make_folder(Path(out), "the catalogue")
            self._root = os.path.abspath(out)  # noqa: PTH100 - which follows no links

    def digits(self, n_files: int) -> int:
        """Return the length of the hashes that name partitions, fixed by the first run.

        A library that grows must not move a finished file to another partition.
        """
        manifest = self._read(_MANIFEST)
        if manifest is not None:
            with suppress(ValueError, KeyError, TypeError):
                return int(json.loads(manifest)["digits"])
            raise OutputError(
                f"{self._out}/{_MANIFEST}: not written by topgenre; name another folder"
            )
        if any(name.endswith(".parquet") for name in self._names()):
            raise OutputError(
                f"{self._out}: holds Parquet files of another program; name another folder"
            )
        digits = 1
        while n_files > _PER_PARTITION * 16**digits:
            digits += 1
        self._write(_MANIFEST, json.dumps({"format": 1, "digits": digits}).encode())
        return digits

    def names(self) -> set[str]:
        """Return the names of the finished partitions."""
        return {name for name in self._names() if _is_partition(name)}

    def rows(self, name: str, files: dict[str, File], model: bytes) -> dict[str, dict[str, Any]]:
        """Return the rows of a partition's former versions that are still valid, by path."""
        parquet = imported("pyarrow.parquet")
        paths = {json_safe(path): path for path in files}
        rows = {}
        bucket = name.split("-")[1]
        for older in self.names():
            if older.split("-")[1] != bucket:
                continue
            content = self._read(older)
            if content is None:
                continue
            table = parquet.read_table(imported("pyarrow").BufferReader(content))
            for row in table.to_pylist():
                path = paths.get(row["path"])
                if path is None or row["model_hash"] != model.hex():
                    continue
                if (row["size"], row["mtime_ns"]) == files[path][1:]:
                    rows[path] = row
        return rows

    def write(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Write a partition atomically."""
        arrow, parquet = imported("pyarrow"), imported("pyarrow.parquet")
        sink = arrow.BufferOutputStream()
        parquet.write_table(arrow.Table.from_pylist(rows, parquet_schema()), sink)
        self._write(name, sink.getvalue().to_pybytes())

    def keep_only(self, names: Iterable[str]) -> None:
        """Remove former versions of partitions."""
        for name in self.names() - set(names):
            if self._remote:
                self._system.rm_file(f"{self._root}/{name}")
            else:
                (Path(self._root) / name).unlink(missing_ok=True)

    def _names(self) -> list[str]:
        with self._explained():
            if not self._remote:
                return [entry.name for entry in Path(self._root).iterdir()]
            self._system.invalidate_cache()
            try:
                found = self._system.ls(self._root, detail=False)
            except FileNotFoundError:
                return []
            return [PurePosixPath(path).name for path in found]

    def _read(self, name: str) -> bytes | None:
        with self._explained():
            try:
                if self._remote:
                    content: bytes = self._system.cat_file(f"{self._root}/{name}")
                    return content
                return (Path(self._root) / name).read_bytes()
            except FileNotFoundError:
                return None

    def _write(self, name: str, content: bytes) -> None:
        if not self._remote:
            write_whole(Path(self._root) / name, content, content[:4])
            return
        with self._explained():
            self._system.makedirs(self._root, exist_ok=True)
            # Object stores show a file only once it is complete.
            self._system.pipe_file(f"{self._root}/{name}", content)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except TopgenreError:
            raise
        except Exception as error:  # every driver has exceptions of its own
            raise OutputError(
                f"{self._out}: cannot be used ({one_line(error)}); check --out and the credentials"
            ) from error


def _hash(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def _is_partition(name: str) -> bool:
    parts = name.removesuffix(".parquet").split("-")
    return name.endswith(".parquet") and len(parts) == 3 and parts[0] == "part"
