"""List the music in folders and buckets, and fetch single files of buckets."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from topgenre.errors import SourceNotFoundError, TopgenreError, one_line
from topgenre.library.find import (
    PREPROCESSED,
    SUFFIXES,
    find_audio,
    is_junk,
    size_and_time,
    unreadable,
)
from topgenre.result import Failure


class File(NamedTuple):
    """A music file as its folder lists it; `path` is an absolute path or a URL."""

    path: str
    size: int
    mtime_ns: int


def list_music(paths: Iterable[str]) -> Iterator[File | Failure]:
    """List the music files in folders and behind URLs."""
    for path in paths:
        if is_url(path):
            yield from _list_bucket(path)
            continue
        root = os.path.abspath(path)  # noqa: PTH100 - which follows no links
        for found in find_audio([root]):
            if isinstance(found, Failure):
                yield found
            elif found == root or not found.lower().endswith(PREPROCESSED):
                try:
                    status = Path(found).stat()
                except (OSError, ValueError) as error:
                    yield unreadable(found, error)
                else:
                    yield File(found, *size_and_time(status))


@contextmanager
def local_copy(path: str) -> Iterator[str]:
    """Yield a local path; a URL is downloaded to a temporary file."""
    if not is_url(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="topgenre-") as folder:
        # The suffix says which decoder to try first, the rest of the name may be anything.
        copy = Path(folder) / f"song{PurePosixPath(path).suffix}"
        try:
            with imported("fsspec").open(path, "rb") as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except Exception as error:  # every driver has exceptions of its own
            raise SourceNotFoundError(
                f"{path}: cannot be fetched ({one_line(error)}); check the URL and the credentials"
            ) from error
        yield os.fspath(copy)


def is_url(path: str) -> bool:
    """Return whether a path is a URL."""
    return "://" in path


def imported(name: str) -> Any:
    """Import a module of the extra `ray`; raises TopgenreError if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise TopgenreError(
            f"{error.name or name} is not installed; a cluster needs: pip install 'topgenre[ray]', "
            "and a driver for the URL, such as s3fs"
        ) from error


def _list_bucket(url: str) -> Iterator[File | Failure]:
    try:
        system, root = imported("fsspec").core.url_to_fs(url)
        found = system.find(root, detail=True)
    except TopgenreError:
        raise
    except Exception as error:  # every driver has exceptions of its own
        said = f"{url}: cannot be listed ({one_line(error)}); check the URL and the credentials"
        yield Failure.of(url, SourceNotFoundError(said))
        return
    n_music = 0
    for path, info in sorted(found.items()):
        inside = PurePosixPath(path).relative_to(PurePosixPath(root)).parts
        suffix = PurePosixPath(path).suffix.lower()
        junk = any(map(is_junk, inside))
        if junk or suffix not in SUFFIXES or suffix == PREPROCESSED:
            continue
        n_music += 1
        yield File(system.unstrip_protocol(path), int(info["size"] or 0), _mtime_ns(info))
    if not n_music:
        said = f"{url}: no music files found; name another URL"
        yield Failure.of(url, SourceNotFoundError(said))


def _mtime_ns(info: dict[str, Any]) -> int:
    """Return the modification time in ns; 0 where the file system does not report it."""
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
