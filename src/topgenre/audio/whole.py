"""Decode a whole sound, a few windows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from topgenre.audio.segment import (
    MIN_SECONDS,
    SAMPLE_RATE,
    SEGMENT_SECONDS,
    SILENCE_PEAK,
    Excerpt,
    Segment,
    Sound,
    check_length,
    damage_notices,
    damaged,
    short_notice,
    silent,
)
from topgenre.audio.track import DECODING_ERRORS, CountedTrack

_MOST_WINDOWS = 180  # half an hour, side by side
_MOST_COUNTED = 24  # of a longer sound that is gone through anew for each window
_AT_ONCE = 4  # windows that are decoded by one seek, if they lie side by side


def windows_of(track: Sound, label: str) -> Iterator[Segment]:
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
    begins = np.unique(places.astype(int)).tolist()
    at_once = 1 if spread else _AT_ONCE
    told: dict[str, None] = {}  # notices in their order
    if spread:
        long = f"of this long track, {len(begins)} windows of 10 s from all of it were analysed"
        told[long] = None
    elif total < SEGMENT_SECONDS * SAMPLE_RATE:
        told[short_notice(total)] = None
    decoded = missing = bad = 0.0
    heard = False
    for number in range(0, len(begins), at_once):
        batch = begins[number : number + at_once]
        first, last = batch[0], batch[-1] + length
        excerpt = Excerpt.empty(first, total, last - first)
        with suppress(*(error for error in DECODING_ERRORS if error is not MemoryError)):
            excerpt = Excerpt.audible(track, extent, first, last - first)
        missing += excerpt.missing
        decoded += (last - first) / SAMPLE_RATE - excerpt.missing
        bad += excerpt.bad_seconds
        told |= dict.fromkeys(excerpt.notices)
        notices = (*told, *damage_notices(shortfall, missing, bad))
        for begin in batch:
            samples = excerpt.samples[begin - first :][:length]
            if np.abs(samples).max() < SILENCE_PEAK:
                continue
            heard = True
            end = (begin + length) / SAMPLE_RATE
            yield Segment(samples, begin / SAMPLE_RATE, end, notices, total / SAMPLE_RATE)
    if not heard:
        raise damaged(label) if decoded < MIN_SECONDS else silent(label)
