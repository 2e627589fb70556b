"""Scanning a library that is too large for one machine: a pipeline of Ray Data.

The files are divided among partitions by a hash of their names. Each partition is worked off by one
actor and becomes one Parquet file, which is written in one step once all of its files are done. So
a partition whose file is there is finished, whatever happened to the machine that wrote it or to
the one that gave the order, and a run that is repeated does what is left. The files themselves are
judged by the same code as in `topgenre.library.scan`, in a process of their own.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from topgenre.errors import OutputError, SourceNotFoundError, TopgenreError
from topgenre.files import make_folder, write_whole
from topgenre.library.analysis import analyse_song
from topgenre.library.catalogue import model_hash
from topgenre.library.export import parquet_schema, table_row
from topgenre.library.find import SUFFIXES, find_audio, is_junk, size_and_time
from topgenre.library.scan import TIME_LIMIT
from topgenre.library.song import Analysis, Song
from topgenre.result import Failure
from topgenre.text import json_safe
from topgenre.workers.processes import Pool

if TYPE_CHECKING:
    from topgenre.classifier import Classifier

_PER_PARTITION = 256  # files at most, about: half a minute of work that a lost machine may cost
_MANIFEST = "_topgenre.json"  # readers of tables pass over names with an underscore
_SPECTROGRAMS = ".npz"


class File(NamedTuple):
    """A music file as the listing of its folder has it."""

    place: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition that is finished.

    Attributes
    ----------
    name : str
        Of its Parquet file.
    n_files : int
        Rows in it.
    n_judged : int
        How many files were judged for it in this run; the other rows were there before.
    failures : tuple of str
        Why files cannot be judged, in this run; one line each.
    n_left : int
        Partitions that are yet to come.
    """

    name: str
    n_files: int
    n_judged: int
    failures: tuple[str, ...]
    n_left: int


def scan_on_ray(
    places: Sequence[str],
    out: str,
    *,
    address: str | None = None,
    model: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
) -> Generator[Partition | Failure, None, None]:
    """Judge the files of folders and buckets on a Ray cluster.

    Parameters
    ----------
    places : sequence of str
        Folders and files: local ones, which every machine of the cluster must see under the same
        name, or URLs such as ``s3://bucket/music`` in any form that fsspec knows.
    out : str
        Folder or URL of a folder for the Parquet files.
    address : str, optional
        Ray cluster, as ``ray.init`` takes it; by default a cluster of this machine alone.
    model : path-like, optional
        Model file on this machine; by default the model that comes with the package.
    jobs : int, optional
        Actors; by default as many as the cluster has processors. Each holds a network and judges
        one file at a time.

    Yields
    ------
    Partition or Failure
        Each partition when it is finished, those that were before first; and places that hold no
        music or cannot be read.

    Raises
    ------
    TopgenreError
        If Ray or a file system's driver is not installed, or the cluster cannot be reached.
    OutputError
        If the folder for results cannot be used.
    ModelError
        If the model file is missing or no topgenre model.
    """
    ray = _imported("ray")
    _imported("pyarrow")
    files: dict[str, File] = {}
    for found in _listed(places):
        if isinstance(found, Failure):
            yield found
        else:
            files[found.place] = found
    store = _Store(out)
    fingerprint = model_hash(model)
    partitions = _divided(files.values(), store.digits(len(files)), fingerprint)
    there = store.names()
    to_do = {name: members for name, members in partitions.items() if name not in there}
    for index, name in enumerate(sorted(partitions.keys() - to_do.keys())):
        n_left = len(partitions) - index - 1
        yield Partition(name, len(partitions[name]), 0, (), n_left)
    if to_do:
        with _cluster(ray, address, jobs):
            dataset = ray.data.from_items(
                # As JSON, since Arrow knows no lists of text and numbers, nor text that is none.
                [{"name": name, "files": json.dumps(m)} for name, m in to_do.items()],
                override_num_blocks=len(to_do),
            ).map(
                _Actor,
                fn_constructor_args=(out, Path(model).read_bytes() if model else None, fingerprint),
                num_cpus=1,
                compute=ray.data.ActorPoolStrategy(
                    min_size=1, max_size=jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))
                ),
            )
            for index, row in enumerate(dataset.iter_rows(), 1):
                yield Partition(
                    row["name"],
                    row["n_files"],
                    row["n_judged"],
                    tuple(row["failures"]),
                    len(to_do) - index,
                )
    store.keep_only(partitions.keys())


class _Actor:
    """Works off partitions, with one network in a process that may crash at no cost but a row."""

    def __init__(self, out: str, model: bytes | None, fingerprint: bytes) -> None:
        self._store = _Store(out)
        self._fingerprint = fingerprint
        self._folder = tempfile.TemporaryDirectory(prefix="topgenre-")
        path = None
        if model is not None:
            path = Path(self._folder.name) / "model.onnx"
            path.write_bytes(model)
        self._pool = Pool(path, 1, _examine, TIME_LIMIT)

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        files = {
            file.place: file for file in (File(*values) for values in json.loads(task["files"]))
        }
        rows = self._store.rows(task["name"], files, self._fingerprint)
        to_do = [place for place in files if place not in rows]
        failures = []
        for place, outcome in self._pool.work_off(to_do):
            if isinstance(outcome, Failure):
                failures.append(str(outcome.error))
            song = Song.of(*files[place], self._fingerprint, outcome)
            rows[place] = table_row(song)
        self._store.write(task["name"], [rows[place] for place in files])
        return {
            "name": task["name"],
            "n_files": len(files),
            "n_judged": len(to_do),
            "failures": failures,
        }


def _examine(classifier: Classifier, place: str) -> Analysis:
    with _local(place) as path:
        return analyse_song(classifier, path, name=place)


@contextmanager
def _local(place: str) -> Iterator[str]:
    """Give a local file of the same content; that of a URL exists for a while only."""
    if not _is_url(place):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="topgenre-") as folder:
        # The suffix says which decoder to try first, the rest of the name may be anything.
        path = Path(folder) / f"song{PurePosixPath(place).suffix}"
        try:
            with _imported("fsspec").open(place, "rb") as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except Exception as error:  # every driver has exceptions of its own
            reason = " ".join(f"{type(error).__name__} {error}".split())
            raise SourceNotFoundError(
                f"{place}: cannot be fetched ({reason}); check the place and the credentials"
            ) from error
        yield os.fspath(path)


class _Store:
    """The folder of Parquet files, on a disk or behind a URL."""

    def __init__(self, out: str) -> None:
        self._out = out.rstrip("/")
        self._remote = _is_url(out)
        self._system: Any = None
        if self._remote:
            with self._explained():
                self._system, self._root = _imported("fsspec").core.url_to_fs(self._out)
        else:
            make_folder(Path(out), "the catalogue")
            self._root = os.path.abspath(out)  # noqa: PTH100 - which follows no links

    def digits(self, n_files: int) -> int:
        """Return how long the hashes are that name partitions: as in the first run, if any.

        A library that grows must not change the partition of any file that is done.
        """
        manifest = self._read(_MANIFEST)
        if manifest is not None:
            with suppress(ValueError, KeyError, TypeError):
                return int(json.loads(manifest)["digits"])
            raise OutputError(f"{self._out}/{_MANIFEST}: not of topgenre; name another folder")
        if any(name.endswith(".parquet") for name in self._names()):
            raise OutputError(f"{self._out}: holds Parquet files of another program; name another")
        digits = 1
        while n_files > _PER_PARTITION * 16**digits:
            digits += 1
        self._write(_MANIFEST, json.dumps({"format": 1, "digits": digits}).encode())
        return digits

    def names(self) -> set[str]:
        """Return the names of the partitions that are finished."""
        return {name for name in self._names() if _is_partition(name)}

    def rows(
        self, name: str, files: dict[str, File], fingerprint: bytes
    ) -> dict[str, dict[str, Any]]:
        """Return the rows of an earlier state of a partition that still hold, by place."""
        parquet = _imported("pyarrow.parquet")
        places = {json_safe(place): place for place in files}
        rows = {}
        bucket = name.split("-")[1]
        for older in self.names():
            if older.split("-")[1] != bucket:
                continue
            content = self._read(older)
            if content is None:
                continue
            table = parquet.read_table(_imported("pyarrow").BufferReader(content))
            for row in table.to_pylist():
                place = places.get(row["path"])
                if place is None or row["model_hash"] != fingerprint.hex():
                    continue
                if (row["size"], row["mtime_ns"]) == files[place][1:]:
                    rows[place] = row
        return rows

    def write(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Write a partition, whole or not at all."""
        arrow, parquet = _imported("pyarrow"), _imported("pyarrow.parquet")
        sink = arrow.BufferOutputStream()
        parquet.write_table(arrow.Table.from_pylist(rows, parquet_schema()), sink)
        self._write(name, sink.getvalue().to_pybytes())

    def keep_only(self, names: Iterable[str]) -> None:
        """Remove earlier states of partitions."""
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
            # Object stores show a file when all of it is there.
            self._system.pipe_file(f"{self._root}/{name}", content)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except TopgenreError:
            raise
        except Exception as error:  # every driver has exceptions of its own
            reason = " ".join(f"{type(error).__name__} {error}".split())
            raise OutputError(
                f"{self._out}: cannot be used ({reason}); check the place and the credentials"
            ) from error


def _listed(places: Iterable[str]) -> Iterator[File | Failure]:
    for place in places:
        if _is_url(place):
            yield from _listed_there(place)
            continue
        root = os.path.abspath(place)  # noqa: PTH100 - which follows no links
        for found in find_audio([root]):
            if isinstance(found, Failure):
                yield found
            elif found == root or not found.lower().endswith(_SPECTROGRAMS):
                try:
                    status = Path(found).stat()
                except (OSError, ValueError) as error:
                    reason = getattr(error, "strerror", None) or "no file can have this name"
                    said = f"{found}: cannot be read ({reason}); check the name"
                    yield Failure.of(found, SourceNotFoundError(said))
                else:
                    yield File(found, *size_and_time(status))


def _listed_there(url: str) -> Iterator[File | Failure]:
    try:
        system, root = _imported("fsspec").core.url_to_fs(url)
        found = system.find(root, detail=True)
    except TopgenreError:
        raise
    except Exception as error:  # every driver has exceptions of its own
        reason = " ".join(f"{type(error).__name__} {error}".split())
        said = f"{url}: cannot be listed ({reason}); check the place and the credentials"
        yield Failure.of(url, SourceNotFoundError(said))
        return
    n_music = 0
    for path, info in sorted(found.items()):
        inside = PurePosixPath(path).relative_to(PurePosixPath(root)).parts
        suffix = PurePosixPath(path).suffix.lower()
        junk = any(map(is_junk, inside))
        if junk or suffix not in SUFFIXES or suffix == _SPECTROGRAMS:
            continue
        n_music += 1
        yield File(system.unstrip_protocol(path), int(info["size"] or 0), _changed(info))
    if not n_music:
        said = f"{url}: there is no music file there; name another place"
        yield Failure.of(url, SourceNotFoundError(said))


def _changed(info: dict[str, Any]) -> int:
    """Return when a file was changed last, in ns; 0 where its system does not say."""
    for key in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value = info.get(key)
        if isinstance(value, str):
            with suppress(ValueError):
                value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            value = value.timestamp()
        if isinstance(value, int | float):
            return round(value * 1e9)
    return 0


def _divided(files: Iterable[File], digits: int, fingerprint: bytes) -> dict[str, list[File]]:
    """Return the members of each partition; its name changes with any of them, and the model."""
    buckets: dict[str, list[File]] = defaultdict(list)
    for file in files:
        buckets[_hash(file.place)[:digits]].append(file)
    partitions = {}
    for bucket, members in buckets.items():
        members.sort()
        state = _hash(fingerprint.hex() + json.dumps(members))[:16]
        partitions[f"part-{bucket}-{state}.parquet"] = members
    return partitions


def _hash(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def _is_partition(name: str) -> bool:
    parts = name.removesuffix(".parquet").split("-")
    return name.endswith(".parquet") and len(parts) == 3 and parts[0] == "part"


def _is_url(place: str) -> bool:
    return "://" in place


@contextmanager
def _cluster(ray: Any, address: str | None, jobs: int | None) -> Iterator[None]:
    """Be connected to a cluster for a while, without reports to Ray's makers."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # It warns of what cannot happen here: the model outlives the actors.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    here = {"num_cpus": jobs, "include_dashboard": False} if address is None else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **here)
    except Exception as error:  # Ray's own exceptions share no base class with the rest
        reason = " ".join(str(error).split())
        raise TopgenreError(
            f"{address or 'Ray'}: the cluster cannot be reached ({reason}); check --address"
        ) from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise TopgenreError(
            f"{error.name or name} is not installed; a cluster needs: pip install 'topgenre[ray]', "
            "and the driver of the place, such as s3fs"
        ) from error
