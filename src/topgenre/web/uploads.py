"""Receive an uploaded file: stream it to disk, limit it, and delete it afterwards."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from topgenre.web.problems import ProblemError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "file"
LEAST_RATE = 16 * 1024  # mean bytes per second of an upload that takes long
_MAX_OVERHEAD = 64 * 1024  # bytes of part headers and other fields around the file
_MOST_PARTS, _MOST_HEADERS = 16, 8  # per form, and per part
_MAX_NAME = 200  # characters
_DRAINED = 16 << 20  # bytes of a refused upload to read, so that the client gets the answer


@dataclass(frozen=True, slots=True)
class Upload:
    """An open, unnamed file on disk, and the name that the client gave it."""

    file: IO[bytes]
    name: str
    size: int


class Inbox:
    """Receives uploads.

    Parameters
    ----------
    limit : int or None
        Size of the longest accepted file in bytes.
    stall_limit : float
        Most seconds without a byte. After that time, the mean rate must be `LEAST_RATE`.
    room : int or None
        Most bytes of all uploads on the disk at the same time.
    """

    def __init__(self, limit: int | None, stall_limit: float, room: int | None) -> None:
        self.limit, self.stall_limit, self.room = limit, stall_limit, room
        self.taken = 0
        self.receiving = 0
        tempfile.gettempdir()  # remembers the folder, even if it is removed later

    def check(self) -> None:
        """Check that files can be stored; recreate the temporary folder if it is gone.

        Raises
        ------
        OSError
        """
        _temporary_file().close()

    async def receive(self, request: Request) -> Upload:
        """Stream the field ``file`` of a multipart request to an unnamed file.

        So nothing stays on disk if the server is killed. The caller must `release` the upload.

        Parameters
        ----------
        request : Request

        Raises
        ------
        ProblemError
            invalid_request, too_large, unsupported_media_type, upload_timeout, busy or storage.
        """
        boundary = _boundary(request)
        self._refuse_length(request)
        self.receiving += 1
        form: _Form | None = None
        try:
            form = _Form(_temporary_file(), self)
            await self._feed(request, form, boundary)
            form.file.flush()
        except BaseException as error:
            if form:
                self._give_back(form.file, form.size)
            if isinstance(error, OSError):
                said = f"the upload cannot be stored ({error.strerror}); try again later"
                raise ProblemError("storage", said) from error
            raise
        finally:
            self.receiving -= 1
        return Upload(form.file, form.name, form.size)

    def release(self, upload: Upload) -> None:
        """Close and delete an upload."""
        self._give_back(upload.file, upload.size)

    def _give_back(self, file: IO[bytes], size: int) -> None:
        self.taken -= size
        with suppress(OSError):  # the disk may be full for buffered data
            file.close()

    async def _feed(self, request: Request, form: _Form, boundary: bytes) -> None:
        try:
            parser = MultipartParser(boundary, form.callbacks(), max_header_count=_MOST_HEADERS)
            async for chunk in self._in_time(request):
                form.received += len(chunk)
                if self.limit is not None and form.received > self.limit + _MAX_OVERHEAD:
                    raise too_large(form.name, self.limit)
                parser.write(chunk)
            parser.finalize()
        except FormParserError as error:
            said = f"the body is not a multipart form ({error})"
            raise ProblemError("invalid_request", said) from error
        if not form.complete:
            raise ProblemError(
                "invalid_request", f"the form needs one field named {FIELD!r} with a file"
            )

    async def _in_time(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the chunks of a body; raise if they come too slowly."""
        stream = request.stream().__aiter__()
        received, waited = 0, 0.0
        while True:
            begin = time.monotonic()
            try:
                async with asyncio.timeout(self.stall_limit):
                    chunk = await anext(stream, None)
            except TimeoutError as error:
                said = f"no data for {self.stall_limit:g} s; check the connection"
                raise ProblemError("upload_timeout", said) from error
            if chunk is None:
                return
            received += len(chunk)
            waited += time.monotonic() - begin
            if received < LEAST_RATE * (waited - self.stall_limit):
                said = f"slower than {LEAST_RATE // 1024} kB per second; check the connection"
                raise ProblemError("upload_timeout", said)
            yield chunk

    def _refuse_length(self, request: Request) -> None:
        length = request.headers.get("content-length", "")
        if self.limit is None or not length.isdecimal():
            return
        if int(length[:20]) > self.limit + _MAX_OVERHEAD:
            raise too_large("the upload", self.limit)


async def drain(request: Request, seconds: float) -> None:
    """Discard the rest of a body for a while, so that the client gets the answer."""
    taken = 0
    with suppress(ClientDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                taken += len(chunk)
                if taken > _DRAINED:
                    return


def clean_name(raw: str) -> str:
    """Return the last part of a client's file name, without unprintable characters."""
    name = PureWindowsPath(PurePosixPath(raw).name).name
    name = "".join(c for c in name if c.isprintable())[:_MAX_NAME]
    return name if name.strip(". ") else "upload"


@dataclass(slots=True)
class _Form:
    """Handles the parser's events: writes the wanted part and skips others."""

    file: IO[bytes]
    inbox: Inbox
    name: str = "upload"
    size: int = 0
    received: int = 0
    complete: bool = False
    _parts: int = 0
    _wanted: bool = False
    _field: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, a, b: self._field.extend(data[a:b]),
            "on_header_value": lambda data, a, b: self._value.extend(data[a:b]),
            "on_header_end": self._header,
            "on_headers_finished": self._headers,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._disposition = b""
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise ProblemError("invalid_request", f"the form has more than {_MOST_PARTS} parts")

    def _header(self) -> None:
        if bytes(self._field).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._wanted = options.get(b"name") == FIELD.encode()
        if self._wanted:
            if self.complete:
                raise ProblemError("invalid_request", f"only one field named {FIELD!r} is accepted")
            raw = options.get(b"filename", b"").decode("utf-8", "replace")
            self.name = clean_name(raw)

    def _data(self, data: bytes, begin: int, end: int) -> None:
        if not self._wanted:
            return
        inbox, n_bytes = self.inbox, end - begin
        if inbox.limit is not None and self.size + n_bytes > inbox.limit:
            raise too_large(self.name, inbox.limit)
        if inbox.room is not None and inbox.taken + n_bytes > inbox.room:
            raise ProblemError("busy", "other uploads use all the space; try again", 5)
        self.size += n_bytes
        inbox.taken += n_bytes
        self.file.write(data[begin:end])

    def _end(self) -> None:
        self.complete = self.complete or self._wanted
        self._wanted = False


def too_large(name: str, limit: int) -> ProblemError:
    """Return the problem of a file longer than `limit` bytes."""
    return ProblemError(
        "too_large",
        f"{name}: larger than the {limit / 1e6:.3g} MB that this server accepts; "
        "send a compressed or shorter file",
    )


def _temporary_file() -> IO[bytes]:
    """Open an unnamed file; recreate the temporary folder if it is gone."""
    try:
        return tempfile.TemporaryFile(prefix="topgenre-")
    except FileNotFoundError:
        Path(tempfile.gettempdir()).mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.TemporaryFile(prefix="topgenre-")


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary: bytes = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise ProblemError(
            "unsupported_media_type",
            f"send the file as multipart/form-data, in a field named {FIELD!r}",
        )
    return boundary
