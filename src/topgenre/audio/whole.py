"""Decode a whole sound, a few windows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from topgenre.audio.frames import Samples
from topgenre.audio.segment import (
    MIN_SECONDS,
    SAMPLE_RATE,
    SEGMENT_SECONDS,
    SILENCE_PEAK,
    Excerpt,
    Sound,
    check_length,
    damage_notices,
    damaged,
    silent,
)
from topgenre.audio.track import DECODING_ERRORS, CountedTrack

_MOST_WINDOWS = 180  # half an hour, side by side
_MOST_COUNTED = 24  # of a longer sound that is gone through anew for each window
_AT_ONCE = 4  # windows, if they lie side by side


@dataclass(frozen=True, slots=True)
class Windows:
    """Some windows of a sound, with what lies around them.

    Attributes
    ----------
    samples : ndarray of float32, shape (n,)
        Mono, at `SAMPLE_RATE`.
    offsets : tuple of int
        Where windows with sound begin in `samples`. Silent ones are left out.
    length : int
        Samples of a window.
    start : float
        Seconds from the beginning of the sound to the first of `samples`.
    done : float
        The fraction of the sound that has been decoded.
    duration : float
        Seconds of the whole sound.
    notices : tuple of str
        What the user should know about the sound so far.
    """

    samples: Samples
    offsets: tuple[int, ...]
    length: int
    start: float
    done: float
    duration: float
    notices: tuple[str, ...]


def windows_of(track: Sound, label: str, *, grid: int, context: int) -> Iterator[Windows]:
    """Yield the windows of a track; `topgenre.audio.load_windows` says what they are."""
    extent = track.extent()
    if extent is None:
        raise damaged(label)
    start, end = extent
    total = int((end - start) * SAMPLE_RATE)
    shortfall = track.shortfall(start, end)
    check_length(label, total, shortfall)
    length = min(round(SEGMENT_SECONDS * SAMPLE_RATE), total)
    most = _MOST_COUNTED if isinstance(track, CountedTrack) else _MOST_WINDOWS
    wanted = -(-total // length)
    spread = wanted > _MOST_WINDOWS
    places = np.linspace(0, total - length, min(wanted, most) if spread else wanted)
    begins = np.unique(places.astype(int) // grid * grid).tolist()
    at_once = 1 if spread else _AT_ONCE
    told: dict[str, None] = {}  # notices in their order
    if spread:
        long = f"of this long track, {len(begins)} windows of 10 s from all of it were analysed"
        told[long] = None
    elif total < SEGMENT_SECONDS * SAMPLE_RATE:
        told[
            f"only {total / SAMPLE_RATE:.1f} s of sound: "
            f"judgements rest on {SEGMENT_SECONDS:g} s as a rule"
        ] = None
    decoded = missing = bad = 0.0
    heard = False
    for number in range(0, len(begins), at_once):
        batch = begins[number : number + at_once]
        first = max(0, batch[0] - context) // grid * grid
        last = min(total, batch[-1] + length + context)
        excerpt = Excerpt.empty(first, total, last - first)
        with suppress(*(error for error in DECODING_ERRORS if error is not MemoryError)):
            excerpt = Excerpt.audible(track, extent, first, last - first)
        missing += excerpt.missing
        decoded += (last - first) / SAMPLE_RATE - excerpt.missing
        bad += excerpt.bad_seconds
        told |= dict.fromkeys(excerpt.notices)
        offsets = tuple(
            begin - first
            for begin in batch
            if np.abs(excerpt.samples[begin - first :][:length]).max() >= SILENCE_PEAK
        )
        heard |= bool(offsets)
        if offsets:
            yield Windows(
                excerpt.samples,
                offsets,
                length,
                first / SAMPLE_RATE,
                min(1.0, (number + len(batch)) / len(begins)),
                total / SAMPLE_RATE,
                (*told, *damage_notices(shortfall, missing, bad)),
            )
    if not heard:
        raise damaged(label) if decoded < MIN_SECONDS else silent(label)
