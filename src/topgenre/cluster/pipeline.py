"""Scan a library that is too large for one machine, with Ray Data.

The files are divided into partitions by a hash of their paths. One actor classifies a partition and
writes it as one Parquet file, in one step, when all of its files are done. So a Parquet file is a
finished partition, whatever happened to the machine that wrote it or to the one that started the
scan, and a run that is repeated does the rest. Files are classified by the same code as in
`topgenre.library.scan`, in a process of their own.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topgenre.cluster.listing import File, imported, list_music, local_copy
from topgenre.cluster.store import Store, partition
from topgenre.errors import TopgenreError
from topgenre.library.analysis import analyse_song
from topgenre.library.catalogue import model_hash
from topgenre.library.export import table_row
from topgenre.library.song import Analysis, Song
from topgenre.result import Failure
from topgenre.workers.processes import Pool
from topgenre.workers.work import TIME_LIMIT

if TYPE_CHECKING:
    from topgenre.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Partition:
    """A finished partition.

    Attributes
    ----------
    name : str
        Name of its Parquet file.
    n_files : int
        Rows in it.
    n_classified : int
        Files that this run tried to classify; the other rows come from an earlier run.
    failures : tuple of str
        One line for each file that failed in this run.
    n_left : int
        Partitions that are still to be done.
    """

    name: str
    n_files: int
    n_classified: int
    failures: tuple[str, ...]
    n_left: int


def scan_on_ray(
    paths: Sequence[str],
    out: str,
    *,
    address: str | None = None,
    model: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
) -> Generator[Partition | Failure, None, None]:
    """Classify the files of folders and buckets on a Ray cluster.

    Parameters
    ----------
    paths : sequence of str
        Folders and files: local ones, which every machine of the cluster must see under the same
        path, or URLs such as ``s3://bucket/music`` that fsspec can open.
    out : str
        Folder or URL of a folder for the Parquet files.
    address : str, optional
        Ray cluster, as ``ray.init`` takes it; by default a cluster of this machine alone.
    model : path-like, optional
        Model file on this machine; by default the bundled model.
    jobs : int, optional
        Actors; by default as many as the cluster has processors. Each holds a network and
        classifies one file at a time.

    Yields
    ------
    Partition or Failure
        A failure for each path that holds no music or cannot be read; then each partition when it
        is finished, beginning with those of earlier runs.

    Raises
    ------
    TopgenreError
        If Ray or a file system's driver is not installed, or the cluster cannot be reached.
    OutputError
        If the folder for results cannot be used.
    ModelError
        If the model file is missing or not a topgenre model.
    """
    ray = imported("ray")
    imported("pyarrow")
    files: dict[str, File] = {}
    for found in list_music(paths):
        if isinstance(found, Failure):
            yield found
        else:
            files[found.path] = found
    store = Store(out)
    fingerprint = model_hash(model)
    partitions = partition(files.values(), store.digits(len(files)), fingerprint)
    finished = store.names()
    to_do = {name: members for name, members in partitions.items() if name not in finished}
    for index, name in enumerate(sorted(partitions.keys() - to_do.keys())):
        n_left = len(partitions) - index - 1
        yield Partition(name, len(partitions[name]), 0, (), n_left)
    if to_do:
        with _cluster(ray, address, jobs):
            dataset = ray.data.from_items(
                # As JSON: Arrow has no lists of mixed types, nor undecodable text.
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
                failures = tuple(row.pop("failures"))
                yield Partition(**row, failures=failures, n_left=len(to_do) - index)
    store.keep_only(partitions.keys())


class _Actor:
    """Classify partitions in another process, which a bad file may crash."""

    def __init__(self, out: str, model: bytes | None, fingerprint: bytes) -> None:
        self._store = Store(out)
        self._fingerprint = fingerprint
        self._folder = tempfile.TemporaryDirectory(prefix="topgenre-")
        path = None
        if model is not None:
            path = Path(self._folder.name) / "model.onnx"
            path.write_bytes(model)
        self._pool = Pool(path, 1, _examine, TIME_LIMIT)

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        files = {
            file.path: file for file in (File(*values) for values in json.loads(task["files"]))
        }
        rows = self._store.rows(task["name"], files, self._fingerprint)
        to_do = [path for path in files if path not in rows]
        failures = []
        for path, outcome in self._pool.run(to_do):
            if isinstance(outcome, Failure):
                failures.append(str(outcome.error))
            rows[path] = table_row(Song.of(*files[path], self._fingerprint, outcome))
        self._store.write(task["name"], [rows[path] for path in files])
        return {
            "name": task["name"],
            "n_files": len(files),
            "n_classified": len(to_do),
            "failures": failures,
        }


def _examine(classifier: Classifier, path: str) -> Analysis:
    with local_copy(path) as copy:
        return analyse_song(classifier, copy, name=path)


@contextmanager
def _cluster(ray: Any, address: str | None, jobs: int | None) -> Iterator[None]:
    """Connect to a cluster for the length of a block, without reports to Ray's makers."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # It warns of what cannot happen here: the model outlives the actors.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    local = {"num_cpus": jobs, "include_dashboard": False} if address is None else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **local)
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
