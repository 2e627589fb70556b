"""Open local files and streams as seekable files, and refuse everything else."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from topgenre.errors import NotAudioError, SourceNotFoundError

_MAX_STREAM_BYTES = 4 << 30  # of a pipe, which is copied to disk to be seekable
_SPOOL_IN_MEMORY = 32 << 20
_READ_BYTES = 1 << 16
_BEHIND_TAGS = (b"RIFF", b"RF64", b"FORM", b"OggS", b"fLaC", b"MAC ", b"MPCK", b"MP+", b"wvPk")


def name_of(source: object) -> str:
    """Return the default name of a source in messages."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "the stream"


class Reader:
    """FFmpeg's view of a source: its bytes, without its name or a way to close it.

    Offsets count from `begin`; earlier bytes are hidden. Methods never raise while FFmpeg reads,
    since PyAV would print exceptions that it cannot raise at once.

    Attributes
    ----------
    failure : OSError or None
        Why reading failed; to FFmpeg, the file then ended there.
    """

    def __init__(self, file: IO[bytes], begin: int = 0) -> None:
        self._file = file
        self._begin = begin
        self.failure: OSError | None = None

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes."""
        try:
            return self._file.read(size)
        except OSError as error:
            self.failure = error
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Seek to an offset and return it, or -1 if that is impossible."""
        try:
            begin = self._begin if whence == os.SEEK_SET else 0
            return max(self._file.seek(begin + offset, whence) - self._begin, 0)
        except (OSError, ValueError, OverflowError):
            return -1

    def tell(self) -> int:
        """Return the offset."""
        return self._file.tell() - self._begin


@contextmanager
def opened(source: str | os.PathLike[str] | BinaryIO, label: str) -> Iterator[Reader]:
    """Open a source as a seekable, non-empty reader; afterwards raise its read error."""
    with ExitStack() as cleanup:
        if isinstance(source, str | os.PathLike):
            file: IO[bytes] = cleanup.enter_context(_open_path(Path(source), label))
        else:
            file = source
        if not file.seekable():
            import tempfile  # slow

            copy = cleanup.enter_context(tempfile.SpooledTemporaryFile(_SPOOL_IN_MEMORY))
            _spool(file, copy, label)
            file = copy
        file.seek(0)
        if not file.read(1):
            raise NotAudioError(f"{label}: it is empty; choose another file.")
        reader = Reader(file, _behind_tags(file))
        try:
            yield reader
        finally:
            if reader.failure:
                raise reader.failure


def _behind_tags(file: IO[bytes]) -> int:
    """Return the offset of a container after ID3 tags, which FFmpeg would overlook."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(12)
        length = id3_length(head)
        if not length:
            return at if head.startswith(_BEHIND_TAGS) or head[4:8] == b"ftyp" else 0
        at += length


def id3_length(head: bytes) -> int:
    """Return the size of the ID3v2 tag that begins with `head`, or 0."""
    if len(head) < 10 or not head.startswith(b"ID3"):
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + footer + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def _open_path(path: Path, label: str) -> IO[bytes]:
    try:
        # A device may never end, and reading may change it. Pipes are allowed.
        if _is_device(path.stat().st_mode):
            raise SourceNotFoundError(f"{label}: this is a device; name a file.")
        return path.open("rb")
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"{label}: there is no such file; check the name.") from error
    except IsADirectoryError as error:
        raise SourceNotFoundError(f"{label}: this is a folder; name a file in it.") from error
    except ValueError as error:  # a null character in the name
        raise SourceNotFoundError(f"{label}: no file can have this name.") from error


def _is_device(mode: int) -> bool:
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _spool(stream: IO[bytes], copy: IO[bytes], label: str) -> None:
    left = _MAX_STREAM_BYTES
    while block := stream.read(_READ_BYTES):
        left -= len(block)
        if left < 0:
            raise NotAudioError(
                f"{label}: the stream does not end within {_MAX_STREAM_BYTES >> 30} GiB; "
                "save the sound to a file first."
            )
        copy.write(block)
