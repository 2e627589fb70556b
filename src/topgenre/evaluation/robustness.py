"""How often an answer stays the same when a recording is coded, filtered or cut differently."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from topgenre.audio import SAMPLE_RATE, SEGMENT_SECONDS, Segment, load_segment
from topgenre.classifier import Classifier
from topgenre.errors import AudioError, DatasetError
from topgenre.evaluation.dataset import Clip
from topgenre.evaluation.metrics import Figure, interval_of_mean
from topgenre.spectrograms import compute

_MARGIN = 5.0  # seconds on each side of the segment, which a shift or a speed-up needs
_CODED_RATE = 44_100  # Hz, at which music is coded

Samples = NDArray[np.float32]
Frequency = NDArray[np.floating[Any]]  # Hz
Change = Callable[[Samples], Samples]


@dataclass(frozen=True, slots=True)
class Robustness:
    """Shares of clips whose most probable genre stays the same.

    Attributes
    ----------
    n : int
        Clips that are long enough to be cut elsewhere too.
    same : dict of str to Figure
        The share for each change, with its 95 % interval.
    """

    n: int
    same: dict[str, Figure]


def measure(
    judges: Sequence[tuple[Classifier, Clip]],
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Robustness:
    """Classify clips as they are and after each of `CHANGES`.

    Parameters
    ----------
    judges : sequence of (Classifier, Clip)
        Each clip with the model that judges it.
    progress : callable
        Called with the numbers of finished and of all clips.

    Raises
    ------
    DatasetError
        If no clip has 20 s of sound.
    """
    answers = []
    for done, (classifier, clip) in enumerate(judges, 1):
        try:
            sound = load_segment(clip.path, seconds=SEGMENT_SECONDS + 2 * _MARGIN).samples
        except AudioError:
            sound = np.zeros(0, np.float32)
        if len(sound) == round((SEGMENT_SECONDS + 2 * _MARGIN) * SAMPLE_RATE):
            plain = _answer(classifier, sound)
            answers.append([_answer(classifier, f(sound)) == plain for f in CHANGES.values()])
        progress(done, len(judges))
    if not answers:
        raise DatasetError("no clip has 20 s of sound, which this measurement needs")
    columns = np.array(answers, float).T
    same = {name: interval_of_mean(c) for name, c in zip(CHANGES, columns, strict=True)}
    return Robustness(len(answers), same)


def _answer(classifier: Classifier, sound: Samples) -> str:
    """Classify the middle of a sound."""
    length = round(SEGMENT_SECONDS * SAMPLE_RATE)
    first = (len(sound) - length) // 2
    samples = np.ascontiguousarray(sound[first : first + length])
    stack = compute(Segment(samples, 0.0, SEGMENT_SECONDS))
    return classifier.classify_spectrograms(stack).genres[0].genre


def _mp3(bit_rate: int) -> Change:
    def change(sound: Samples) -> Samples:
        import av

        file = io.BytesIO()
        with av.open(file, "w", format="mp3") as output:
            stream = output.add_stream("libmp3lame", rate=_CODED_RATE, layout="mono")
            stream.bit_rate = bit_rate
            coded = soxr.resample(sound, SAMPLE_RATE, _CODED_RATE).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(coded[None], format="fltp", layout="mono")
            frame.sample_rate = _CODED_RATE
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return load_segment(file, seconds=len(sound) / SAMPLE_RATE).samples

    return change


def _gain(decibels: float) -> Change:
    factor = np.float32(10 ** (decibels / 20))
    # Too loud a copy is clipped, as it would be in a file.
    return lambda sound: np.clip(sound * factor, -1, 1)


def _filter(response: Callable[[Frequency], NDArray[np.float64]]) -> Change:
    def change(sound: Samples) -> Samples:
        frequency = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
        spectrum = np.fft.rfft(sound) * response(frequency)
        return np.fft.irfft(spectrum, len(sound)).astype(np.float32)

    return change


def _small_speaker(frequency: Frequency) -> NDArray[np.float64]:
    """Second-order slopes below 300 Hz and above 7 kHz, and 4 dB more around 2.5 kHz."""
    low = frequency**2 / (frequency**2 + 300.0**2)
    high = 1 / (1 + (frequency / 7000.0) ** 4) ** 0.5
    octaves = np.log2(np.maximum(frequency, 1.0) / 2500.0)
    presence: NDArray[np.float64] = 10 ** (4 / 20 * np.exp(-(octaves**2)))
    return low * high * presence


def _speed(factor: float) -> Change:
    return lambda sound: soxr.resample(sound, SAMPLE_RATE * factor, SAMPLE_RATE).astype(np.float32)


def _shift(seconds: float) -> Change:
    # The middle moves by half of what is taken from one end.
    n = round(2 * abs(seconds) * SAMPLE_RATE)
    return lambda sound: sound[n:] if seconds > 0 else sound[: len(sound) - n]


CHANGES: dict[str, Change] = {
    "mp3, 64 kbit/s": _mp3(64_000),
    "mp3, 128 kbit/s": _mp3(128_000),
    "mp3, 320 kbit/s": _mp3(320_000),
    "6 dB louder": _gain(6),
    "6 dB softer": _gain(-6),
    "nothing above 8 kHz": _filter(lambda frequency: np.where(frequency < 8000, 1.0, 0.0)),
    "small loudspeaker": _filter(_small_speaker),
    "3 % faster": _speed(1.03),
    "3 % slower": _speed(0.97),
    "5 s earlier": _shift(-5),
    "5 s later": _shift(5),
}
"""What is done to a clip, by name."""
