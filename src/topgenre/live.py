"""Classify live sound: the last ten seconds, every second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from topgenre.audio import SAMPLE_RATE, SEGMENT_SECONDS, Segment, stream
from topgenre.classifier import Classifier, Prediction
from topgenre.result import Result
from topgenre.spectrograms import compute, network_input

_LEAST_SECONDS = 3  # s before the first answer
_SILENCE_PEAK = 1e-3  # -60 dBFS, of the last two seconds
_SILENCE_SECONDS = 2
_SMOOTHING = 0.5  # weight of the newest answer
_STABLE = 3  # answers in a row before a change counts

Samples = NDArray[np.float32]


class Heard(NamedTuple):
    """The answer after one second.

    Attributes
    ----------
    time : float
        Seconds since the beginning.
    result : Result or None
        The smoothed answer for the last 10 s; None while there is silence.
    label : str
        A genre, or "silence", "not music" or "not sure".
    changed : bool
        Whether the label has been the same for three seconds and differs from the last such label.
    """

    time: float
    result: Result | None
    label: str
    changed: bool


def read_sound(
    pipe: BinaryIO, name: str, *, rate: int | None = None, channels: int = 1
) -> Iterator[Samples]:
    """Read WAV from a pipe, or raw 16-bit samples if their rate is given.

    Yields
    ------
    ndarray of float32, shape (n,)
        Mono at 22 050 Hz, for `listen`.

    Raises
    ------
    NotAudioError
        If `rate` is missing and the pipe does not begin with the header of uncompressed WAV.
    """
    layout = stream.PcmFormat(rate, channels) if rate else stream.read_wav_header(pipe, name)
    yield from stream.blocks(pipe, layout)


def listen(
    blocks: Iterable[Samples], classifier: Classifier, *, name: str = "stream"
) -> Iterator[Heard]:
    """Classify sound as it arrives.

    Only the last 10 s are kept in memory.

    Parameters
    ----------
    blocks : iterable of ndarray of float32
        Mono sound at 22 050 Hz.
    classifier : Classifier
    name : str
        Name of the source in results.

    Yields
    ------
    Heard
        One per second of sound, from the third on.

    Examples
    --------
    >>> import sys, topgenre
    >>> from topgenre.live import listen, read_sound
    >>> sound = read_sound(sys.stdin.buffer, "radio")
    >>> for heard in listen(sound, topgenre.load()):  # doctest: +SKIP
    ...     print(heard.time, heard.label)
    """
    smooth: Prediction | None = None
    settled, candidate, count = "", "", 0
    for second, samples in enumerate(_windows(blocks), _LEAST_SECONDS):
        recent = samples[-_SILENCE_SECONDS * SAMPLE_RATE :]
        result = None
        if np.abs(recent).max() < _SILENCE_PEAK:
            smooth = None
        else:
            segment = Segment(samples, second - len(samples) / SAMPLE_RATE, float(second))
            prediction = classifier.predict(network_input(compute(segment))[None])
            smooth = _blended(smooth, prediction)
            result = classifier.build_result(smooth, segment, name)
        label = _label(result)
        count = count + 1 if label == candidate else 1
        candidate = label
        changed = count == _STABLE and label != settled
        if changed:
            settled = label
        yield Heard(float(second), result, label, changed)


def _windows(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Yield the last 10 s (fewer at first) each second from the third on."""
    window = np.zeros(0, np.float32)
    total, due = 0, _LEAST_SECONDS * SAMPLE_RATE
    for block in blocks:
        # A block may be longer than a second.
        for first in range(0, len(block), SAMPLE_RATE):
            part = block[first : first + SAMPLE_RATE]
            window = np.concatenate([window, part])
            total += len(part)
            while total >= due:
                end = len(window) - (total - due)
                yield window[max(0, end - round(SEGMENT_SECONDS * SAMPLE_RATE)) : end]
                due += SAMPLE_RATE
            window = window[-round((SEGMENT_SECONDS + 1) * SAMPLE_RATE) :]


def _blended(before: Prediction | None, now: Prediction) -> Prediction:
    if before is None:
        return now
    return Prediction(
        *(old + np.float32(_SMOOTHING) * (new - old) for old, new in zip(before, now, strict=True))
    )


def _label(result: Result | None) -> str:
    if result is None:
        return "silence"
    if result.music < 0.5:
        return "not music"
    return "not sure" if result.uncertain else result.genres[0].genre
