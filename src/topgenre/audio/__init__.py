"""Decode the middle ten seconds of any audio source as mono samples at 22 050 Hz.

A file is never decoded completely. Its first and last frames give the true extent of the sound,
whatever the header claims. Then the demuxer seeks to just before the middle, and only that part is
decoded, mixed down and resampled.

`source` opens files and streams, `track` drives FFmpeg, `segment` cuts and checks the result.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import BinaryIO

from topgenre.audio.frames import keep_freed_memory
from topgenre.audio.mp3 import Mp3Track
from topgenre.audio.ogg import is_chained
from topgenre.audio.segment import (
    SAMPLE_RATE,
    SEGMENT_SECONDS,
    SILENCE_PEAK,
    Excerpt,
    Segment,
    Sound,
)
from topgenre.audio.source import Reader, name_of, opened
from topgenre.audio.track import DECODING_ERRORS, CountedTrack, Track, refuse
from topgenre.audio.wav import WavTrack
from topgenre.audio.whole import windows_of
from topgenre.errors import SourceNotFoundError
from topgenre.text import printable

__all__ = [
    "SAMPLE_RATE",
    "SEGMENT_SECONDS",
    "SILENCE_PEAK",
    "Segment",
    "keep_freed_memory",
    "load_segment",
    "load_windows",
]

_Open = Callable[[], AbstractContextManager[Sound]]
_NOTHING_FOUND = tuple(error for error in DECODING_ERRORS if error is not MemoryError)


def load_segment(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    seconds: float = SEGMENT_SECONDS,
    name: str | None = None,
) -> Segment:
    """Decode the middle of an audio source.

    Parameters
    ----------
    source : str, path or binary file object
        A local file, or a readable object such as ``sys.stdin.buffer``. A seekable object is read
        from its beginning; any other is copied to a temporary file first. It is left open.
    seconds : float
        Length of the segment.
    name : str, optional
        Name of the source in messages; by default the path, or the object's own name.

    Returns
    -------
    Segment
        ``round(seconds * SAMPLE_RATE)`` samples, or all of a shorter sound, with a notice.

    Raises
    ------
    SourceNotFoundError
        The file is missing or cannot be read.
    NotAudioError
        The source is empty or in an unsupported format.
    NoAudioStreamError
        For example, a video without sound.
    DamagedAudioError
        Less than one second of the segment can be decoded.
    TooShortError
        The whole sound is shorter than one second.
    SilentError
        The sound never exceeds -80 dBFS.
    """
    keep_freed_memory()
    label = printable(name if name is not None else name_of(source))
    length = round(seconds * SAMPLE_RATE)
    with _readable(source, label) as file:
        excerpt, _ = _middle(file, label, length)
        return excerpt.segment(label, length)


def load_windows(
    source: str | os.PathLike[str] | BinaryIO, *, name: str | None = None
) -> Iterator[Segment]:
    """Decode a whole audio source in windows of 10 s, without silent ones.

    Parameters
    ----------
    source : str, path or binary file object
        See `load_segment`.
    name : str, optional
        Name of the source in messages.

    Yields
    ------
    Segment
        Consecutive windows up to half an hour of sound; 180 windows spread over a longer one. Only
        a few are in memory at any time. The notices of each are those of the sound so far.

    Raises
    ------
    AudioError
        See `load_segment`; raised before the first window or after the last.
    """
    keep_freed_memory()
    label = printable(name if name is not None else name_of(source))
    with _readable(source, label) as file:
        _, reader = _middle(file, label, round(SEGMENT_SECONDS * SAMPLE_RATE))
        with reader() as track:
            yield from windows_of(track, label)


@contextmanager
def _readable(source: str | os.PathLike[str] | BinaryIO, label: str) -> Iterator[Reader]:
    try:
        with opened(source, label) as file:
            yield file
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SourceNotFoundError(
            f"{label}: cannot be read ({reason}); check the file and its permissions."
        ) from error


def _middle(file: Reader, label: str, length: int) -> tuple[Excerpt, _Open]:
    """Decode the middle `length` output samples; return the best reader too."""
    attempts: list[tuple[Excerpt, _Open]] = []
    for reader in _readers(file, label):
        # Most errors mean that nothing was found, so the next reader may still work. But if memory
        # is short, no reader will work, and the file is not the cause.
        with suppress(*_NOTHING_FOUND), reader() as track:
            excerpt = Excerpt.middle(track, length)
            if excerpt is not None:
                attempts.insert(0, (excerpt, reader))  # of equal ones, trust the later
                if excerpt.plausible:
                    break
    if not attempts:
        refuse(file, label)
    return min(attempts, key=lambda attempt: attempt[0].missing)


def _readers(file: Reader, label: str) -> Iterator[_Open]:
    """Yield the readers of a file, the cheapest first."""
    direct: Sound | None = None
    with suppress(*_NOTHING_FOUND):
        direct = WavTrack.of(file) or Mp3Track.of(file)
    if direct:
        yield partial(_as_it_is, direct)
    if not is_chained(file):
        yield partial(Track, file, label)
    yield partial(CountedTrack, file, label)


def _as_it_is(track: Sound) -> AbstractContextManager[Sound]:
    return nullcontext(track)
