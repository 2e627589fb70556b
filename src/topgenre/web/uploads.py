"""Taking one uploaded file in: streamed to disk, counted on the way, gone when it is done with."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from topgenre.web.problems import ProblemError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "file"
_MAX_OVERHEAD = 64 * 1024  # bytes of part headers and other fields around the file
_MAX_NAME = 200  # characters
_DRAINED = 16 << 20  # bytes of a refused upload that are read, so that its sender hears why


@dataclass(frozen=True, slots=True)
class Upload:
    """An open file without a name on disk, and what its sender calls it."""

    file: IO[bytes]
    name: str
    size: int


@asynccontextmanager
async def receive(request: Request, limit: int, stall_limit: float) -> AsyncIterator[Upload]:
    """Stream the field ``file`` of a multipart request to a file that is gone with the context.

    The file has no name, so that nothing of it stays when the server is killed.

    Parameters
    ----------
    request : Request
    limit : int
        Bytes of the longest file that is taken.
    stall_limit : float
        Seconds that may pass without a byte.

    Raises
    ------
    ProblemError
        invalid_request, too_large, unsupported_media_type, upload_timeout or storage.
    """
    boundary = _boundary(request)
    _refuse_length(request, limit)
    with ExitStack() as cleanup:
        try:
            file = cleanup.enter_context(tempfile.TemporaryFile(prefix="topgenre-"))
            form = _Form(file, limit)
            await _feed(request, form, boundary, stall_limit)
            file.flush()
        except OSError as error:
            said = f"the upload cannot be stored ({error.strerror}); try again later"
            raise ProblemError("storage", said) from error
        yield Upload(file, form.name, form.size)


async def drain(request: Request, seconds: float) -> None:
    """Read and forget the rest of a body for a while, so that its sender comes to listen."""
    taken = 0
    with suppress(ClientDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                taken += len(chunk)
                if taken > _DRAINED:
                    return


def clean_name(raw: str) -> str:
    """Return the last part of a sender's file name, without anything unprintable."""
    name = PureWindowsPath(PurePosixPath(raw).name).name
    name = "".join(c for c in name if c.isprintable())[:_MAX_NAME]
    return name if name.strip(". ") else "upload"


async def _feed(request: Request, form: _Form, boundary: bytes, stall_limit: float) -> None:
    parser = MultipartParser(boundary, form.callbacks())
    received = 0
    stream = request.stream().__aiter__()
    try:
        while True:
            async with asyncio.timeout(stall_limit):
                chunk = await anext(stream, None)
            if chunk is None:
                break
            received += len(chunk)
            if received > form.limit + _MAX_OVERHEAD:
                raise too_large(form.name, form.limit)
            parser.write(chunk)
        parser.finalize()
    except TimeoutError as error:
        said = f"no byte came for {stall_limit:g} s; check the connection and try again"
        raise ProblemError("upload_timeout", said) from error
    except MultipartParseError as error:
        raise ProblemError("invalid_request", f"the body is no multipart form ({error})") from error
    if not form.complete:
        raise ProblemError(
            "invalid_request", f"the form needs one field named {FIELD!r} with a file"
        )


@dataclass(slots=True)
class _Form:
    """Takes the parser's events; writes the wanted part and skips the others."""

    file: IO[bytes]
    limit: int
    name: str = "upload"
    size: int = 0
    complete: bool = False
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
                raise ProblemError("invalid_request", f"only one field named {FIELD!r} is taken")
            raw = options.get(b"filename", b"").decode("utf-8", "replace")
            self.name = clean_name(raw)

    def _data(self, data: bytes, begin: int, end: int) -> None:
        if self._wanted:
            self.size += end - begin
            if self.size > self.limit:
                raise too_large(self.name, self.limit)
            self.file.write(data[begin:end])

    def _end(self) -> None:
        self.complete = self.complete or self._wanted
        self._wanted = False


def too_large(name: str, limit: int) -> ProblemError:
    """Word the refusal of a file that is longer than `limit` bytes."""
    return ProblemError(
        "too_large",
        f"{name}: larger than the {limit / 1e6:.3g} MB that this server takes; "
        "send a compressed or shorter file",
    )


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary: bytes = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise ProblemError(
            "unsupported_media_type",
            f"send the file as multipart/form-data, in a field named {FIELD!r}",
        )
    return boundary


def _refuse_length(request: Request, limit: int) -> None:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit + _MAX_OVERHEAD:
        raise too_large("the upload", limit)
