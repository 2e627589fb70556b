"""From any audio source to the middle ten seconds as mono samples at 22 050 Hz.

A file is never decoded as a whole. Its first frame and its last frames give the true extent of the
sound, whatever the header claims; then the demuxer seeks to a little before the middle, and only
that part is decoded, mixed down and resampled.

`source` opens files and streams, `track` drives FFmpeg, `segment` cuts and judges the result.
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

_Way = Callable[[], AbstractContextManager[Sound]]
_NOTHING_FOUND = tuple(error for error in DECODING_ERRORS if error is not MemoryError)


def load_segment(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    seconds: float = SEGMENT_SECONDS,
    name: str | None = None,
) -> Segment:
    """Decode the middle of a sound.

    Parameters
    ----------
    source : str, path or binary file object
        A local file, or a readable object such as ``sys.stdin.buffer``. A seekable object is read
        from its beginning; any other is first copied to a temporary file. It is left open.
    seconds : float
        Length of the segment.
    name : str, optional
        What messages call the source; by default the path, or the object's own name.

    Returns
    -------
    Segment
        Of exactly ``round(seconds * SAMPLE_RATE)`` samples, or the whole of a shorter sound with a
        notice.

    Raises
    ------
    SourceNotFoundError
        The file is missing or cannot be read.
    NotAudioError
        The source is empty or in no known format.
    NoAudioStreamError
        A video without a sound track, for example.
    DamagedAudioError
        Less than one second of the segment can be decoded.
    TooShortError
        The whole sound is shorter than one second.
    SilentError
        Nothing in the sound rises above -80 dBFS.
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
    """Decode a whole sound in windows of 10 s, and leave out silent ones.

    Parameters
    ----------
    source : str, path or binary file object
        As for `load_segment`.
    name : str, optional
        What messages call the source.

    Yields
    ------
    Segment
        Of a sound of up to half an hour, its windows side by side; of a longer one, 180 windows
        spread over all of it. Only a few are held in memory at any time. The notices of each are
        those of the sound so far.

    Raises
    ------
    AudioError
        As `load_segment` does; before the first, or after the last.
    """
    keep_freed_memory()
    label = printable(name if name is not None else name_of(source))
    with _readable(source, label) as file:
        _, way = _middle(file, label, round(SEGMENT_SECONDS * SAMPLE_RATE))
        with way() as track:
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


def _middle(file: Reader, label: str, length: int) -> tuple[Excerpt, _Way]:
    """Decode the middle `length` output samples, and return the way in which that worked best."""
    attempts: list[tuple[Excerpt, _Way]] = []
    for way in _ways(file, label):
        # Whatever fails here counts as nothing found: the next way may still work. Only where
        # memory is short for sound that is there, none will, and the file is not to blame.
        with suppress(*_NOTHING_FOUND), way() as track:
            excerpt = Excerpt.middle(track, length)
            if excerpt is not None:
                attempts.insert(0, (excerpt, way))  # the later is to be trusted, if as good
                if excerpt.plausible:
                    break
    if not attempts:
        refuse(file, label)
    return min(attempts, key=lambda attempt: attempt[0].missing)


def _ways(file: Reader, label: str) -> Iterator[_Way]:
    """Yield the ways to read a file, the cheapest first."""
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
