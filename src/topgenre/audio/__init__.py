"""From any audio source to the middle ten seconds as mono samples at 22 050 Hz.

A file is never decoded as a whole. Its first frame and its last frames give the true extent of the
sound, whatever the header claims; then the demuxer seeks to a little before the middle, and only
that part is decoded, mixed down and resampled.

`source` opens files and streams, `track` drives FFmpeg, `segment` cuts and judges the result.
"""

import os
from contextlib import suppress
from typing import BinaryIO

from topgenre.audio.segment import SAMPLE_RATE, SEGMENT_SECONDS, SILENCE_PEAK, Excerpt, Segment
from topgenre.audio.source import Reader, name_of, opened
from topgenre.audio.track import DECODING_ERRORS, CountedTrack, Track, refuse
from topgenre.errors import SourceNotFoundError
from topgenre.text import printable

__all__ = ["SAMPLE_RATE", "SEGMENT_SECONDS", "SILENCE_PEAK", "Segment", "load_segment"]

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
        The segment never rises above -80 dBFS.
    """
    label = printable(name if name is not None else name_of(source))
    try:
        with opened(source, label) as file:
            return _middle(file, label, round(seconds * SAMPLE_RATE))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SourceNotFoundError(
            f"{label}: cannot be read ({reason}); check the file and its permissions."
        ) from error


def _middle(file: Reader, label: str, length: int) -> Segment:
    """Decode the middle `length` output samples, by seeking if that gives all of them."""
    attempts: list[Excerpt] = []
    for track_type in (Track, CountedTrack):
        # Whatever fails here counts as nothing found: the second way may still work. Only where
        # memory is short for sound that is there, neither will, and the file is not to blame.
        with suppress(*_NOTHING_FOUND), track_type(file, label) as track:
            excerpt = Excerpt.of(track, length)
            if excerpt is not None:
                attempts.insert(0, excerpt)  # where both are as good, counting is to be trusted
                if excerpt.plausible:
                    break
    if not attempts:
        refuse(file, label)
    return min(attempts, key=lambda attempt: attempt.missing).segment(label, length)
