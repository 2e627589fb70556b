"""Cut the segment out of the decoded sound at 22 050 Hz, and check it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd
from typing import Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from topgenre.audio.frames import Block, Mix, Samples
from topgenre.audio.track import JITTER
from topgenre.errors import DamagedAudioError, SilentError, TooShortError

SAMPLE_RATE = 22_050  # Hz
SEGMENT_SECONDS = 10.0
MIN_SECONDS = 1.0
SILENCE_PEAK = 1e-4  # -80 dBFS: three steps of 16-bit audio, so that dither is silence
# Seconds decoded before and after the segment, to absorb codec history and filter edges.
_LEAD, _TRAIL = Fraction(1, 2), Fraction(1, 10)
# If channels cancel each other, their mean is faint, and 25 dB below their difference: what is left
# is coding noise, 30 dB below the sound.
_FAINT_PEAK = 10 ** (-20 / 20)
_CANCELLED = 10 ** (-25 / 10)
_MOST_PROBES = 120  # to find sound around a silent middle; each decodes 10 s
_MAX_AMPLITUDE = 1_000.0  # 60 dB over full scale: larger samples come from damaged files
_MAX_BAD_SHARE = 0.01  # of the samples
_BATCH = 1 << 20  # samples to resample at once: 24 s at 44.1 kHz


@dataclass(frozen=True, slots=True)
class Segment:
    """The stretch of sound that is analysed.

    Attributes
    ----------
    samples : ndarray of float32, shape (n,)
        Mono, at `SAMPLE_RATE`; full scale is 1.0.
    start, end : float
        Seconds from the beginning of the sound.
    notices : tuple of str
        Remarks for the user, such as damage that was skipped.
    duration : float, optional
        Seconds of the whole sound, if known.
    """

    samples: Samples
    start: float
    end: float
    notices: tuple[str, ...] = ()
    duration: float | None = None


Extent = tuple[Fraction, Fraction]  # the times of the first and last sample, in seconds


class Sound(Protocol):
    """Interface of `topgenre.audio.track.Track`."""

    def extent(self) -> Extent | None:
        """Return the times of the first and last sample."""

    def shortfall(self, start: Fraction, end: Fraction) -> float:
        """Return by how many seconds the header exceeds the extent found."""

    def blocks(self, start: Fraction, end: Fraction, mix: Mix) -> Iterator[Block]:
        """Decode from `start` to `end`, and a little more on both sides."""


@dataclass(slots=True)
class Excerpt:
    """The decoded part of a segment.

    Positions count output samples from the beginning of the sound.
    """

    begin: int
    total: int
    samples: Samples
    covered: NDArray[np.bool_]
    bad_seconds: float = 0.0  # damaged, and set to zero
    shortfall: float = 0.0  # seconds by which the header exceeds the sound found
    notices: tuple[str, ...] = ()

    @classmethod
    def empty(cls, begin: int, total: int, length: int) -> Excerpt:
        """Return an excerpt without any decoded samples."""
        return cls(begin, total, np.zeros(length, np.float32), np.zeros(length, np.bool_))

    @classmethod
    def middle(cls, track: Sound, length: int) -> Excerpt | None:
        """Decode the middle `length` output samples, or the nearest ones with sound.

        None if the sound cannot be found.
        """
        extent = track.extent()
        if extent is None:
            return None
        excerpt = cls.audible(track, extent, None, length)
        if not excerpt.complete or not excerpt.silent or len(excerpt.samples) == excerpt.total:
            return excerpt
        begin = _nearest_sound(track, extent, excerpt)
        if begin is None:
            return excerpt
        excerpt = cls.audible(track, extent, begin, length)
        excerpt.notices += ("the middle is silent: the nearest 10 s with sound were analysed",)
        return excerpt

    @classmethod
    def audible(cls, track: Sound, extent: Extent, begin: int | None, length: int) -> Excerpt:
        """Decode `length` output samples; if the channels cancel out, their difference."""
        excerpt = cls.of(track, extent, begin, length)
        if excerpt.peak >= _FAINT_PEAK:
            return excerpt
        side = cls.of(track, extent, begin, length, Mix.SIDE)
        if side.silent or excerpt.power > _CANCELLED * side.power:
            return excerpt
        side.notices += ("the channels cancel each other: their difference was analysed",)
        return side

    @classmethod
    def of(
        cls,
        track: Sound,
        extent: Extent,
        begin: int | None,
        length: int,
        mix: Mix = Mix.MEAN,
    ) -> Excerpt:
        """Decode `length` output samples from `begin`, by default the middle ones."""
        start, end = extent
        total = int((end - start) * SAMPLE_RATE)
        length = min(length, total)
        if begin is None:
            begin = (total - length) // 2
        excerpt = cls.empty(begin, total, length)
        first = start + Fraction(begin, SAMPLE_RATE)
        last = first + Fraction(length, SAMPLE_RATE)
        excerpt.shortfall = track.shortfall(start, end)
        run: _Run | None = None
        for block in track.blocks(first - _LEAD, last + _TRAIL, mix):
            if run is None or not run.continues(block):
                if run:
                    excerpt._place(run, end=True)
                run = _Run(block, start, begin)
            run.append(block)
            if run.pending >= _BATCH:
                excerpt._place(run)
        if run:
            excerpt._place(run, end=True)
        return excerpt

    def _place(self, run: _Run, *, end: bool = False) -> None:
        """Copy the samples of a run into the excerpt."""
        at, sound = run.resampled(end=end)
        source = sound[max(0, -at) : max(0, len(self.samples) - at)]
        target = slice(max(0, at), max(0, at) + len(source))
        self.samples[target] = source
        self.covered[target] = True
        if end:
            self.bad_seconds += run.n_bad / run.rate

    @property
    def complete(self) -> bool:
        """Whether nothing audible is missing."""
        return bool(self.missing < JITTER)

    @property
    def plausible(self) -> bool:
        """Whether it was decoded completely and the sound is as long as its header says."""
        return self.complete and abs(self.shortfall) <= 1

    @property
    def peak(self) -> float:
        """The largest amplitude."""
        return _peak(self.samples)

    @property
    def power(self) -> float:
        """The mean square."""
        return float(np.dot(self.samples, self.samples)) / max(1, len(self.samples))

    @property
    def silent(self) -> bool:
        """Whether it is silent."""
        return self.peak < SILENCE_PEAK

    @property
    def missing(self) -> float:
        """Seconds of the segment that could not be decoded."""
        return int(np.count_nonzero(~self.covered)) / SAMPLE_RATE

    def segment(self, label: str, length: int) -> Segment:
        """Check the excerpt and return it as a segment with notices."""
        self._check(label)
        notices = list(self.notices)
        if len(self.samples) < min(length, SEGMENT_SECONDS * SAMPLE_RATE):
            notices.append(short_notice(self.total))
        notices += damage_notices(self.shortfall, self.missing, self.bad_seconds)
        return Segment(
            self.samples,
            self.begin / SAMPLE_RATE,
            (self.begin + len(self.samples)) / SAMPLE_RATE,
            tuple(notices),
            self.total / SAMPLE_RATE,
        )

    def _check(self, label: str) -> None:
        check_length(label, self.total, self.shortfall)
        decoded = len(self.samples) / SAMPLE_RATE - self.missing
        if decoded < MIN_SECONDS or self.bad_seconds > _MAX_BAD_SHARE * decoded:
            raise damaged(label)
        if self.silent:
            raise silent(label)


def short_notice(total: int) -> str:
    """Return the notice for a sound of so few output samples."""
    return (
        f"only {total / SAMPLE_RATE:.1f} s of sound; "
        f"answers are more reliable with {SEGMENT_SECONDS:g} s"
    )


def damage_notices(shortfall: float, missing: float, bad_seconds: float) -> list[str]:
    """Return notices about damage: sound that is missing at the end or in between."""
    notices = []
    if shortfall > 1:
        notices.append(
            f"the file is cut off: {shortfall:.1f} s that its header promises are missing"
        )
    if missing >= JITTER:
        notices.append(f"{missing:.1f} s of the segment are damaged and left silent")
    if bad_seconds:
        notices.append("damaged samples were set to zero")
    return notices


def check_length(label: str, total: int, shortfall: float) -> None:
    """Raise TooShortError if an undamaged sound is shorter than a second."""
    seconds = total / SAMPLE_RATE
    if seconds < MIN_SECONDS and shortfall <= 1:
        raise TooShortError(
            f"{label}: only {seconds:.2f} s of sound; at least {MIN_SECONDS:g} s are needed."
        )


def damaged(label: str) -> DamagedAudioError:
    """Return the error for sound that cannot be decoded."""
    return DamagedAudioError(
        f"{label}: too little of its middle can be decoded; get a fresh copy of the file."
    )


def silent(label: str) -> SilentError:
    """Return the error for silent sound."""
    return SilentError(f"{label}: the whole file is silent; choose another one.")


def _nearest_sound(track: Sound, extent: Extent, silent: Excerpt) -> int | None:
    """Return the start of the excerpt with sound that is nearest to a silent one."""
    length, last = len(silent.samples), silent.total - len(silent.samples)
    step = max(length, silent.total // _MOST_PROBES)
    for distance in range(step, silent.total, step):
        found = []
        for begin in (silent.begin + distance, silent.begin - distance):
            if -length < begin < silent.total:
                begin = min(max(begin, 0), last)
                probe = Excerpt.of(track, extent, begin, length, Mix.PEAK)
                (loud,) = np.nonzero(np.abs(probe.samples) >= SILENCE_PEAK)
                if len(loud):  # shift the excerpt so that the sound fills it
                    edge = loud[0] if begin > silent.begin else loud[-1] + 1 - length
                    found.append(min(max(begin + int(edge), 0), last))
        if found:
            return min(found, key=lambda begin: abs(begin - silent.begin))
    return None


def _peak(samples: Samples) -> float:
    """Return the largest amplitude; NaN if any sample is NaN."""
    return float(max(samples.max(), -samples.min())) if len(samples) else 0.0


class _Run:
    """Decoded sound without gaps at one sample rate, resampled as it arrives.

    Parameters
    ----------
    block : Block
        The first one.
    start : Fraction
        Start of the sound in seconds, on the clock of the blocks.
    begin : int
        Position of the segment, in output samples from the beginning of the sound.
    """

    def __init__(self, block: Block, start: Fraction, begin: int) -> None:
        self.rate = block.rate
        self.n_bad = 0
        self.pending = 0  # samples
        self._time = block.time
        self._length = 0
        self._resampler: soxr.ResampleStream | None = None
        # To keep the phase of resampling the whole sound, start where an input and an output sample
        # coincide: at the last such instant before the run.
        step = self.rate // gcd(self.rate, SAMPLE_RATE)
        position = round((block.time - start) * self.rate)
        lead = position % step
        self._blocks = [np.zeros(lead, np.float32)]
        self._skip = ceil(Fraction(lead * SAMPLE_RATE, self.rate))
        self._at = (position - lead) * SAMPLE_RATE // self.rate + self._skip - begin

    def continues(self, block: Block) -> bool:
        """Return whether a block follows without a gap."""
        expected = self._time + Fraction(self._length, self.rate)
        return block.rate == self.rate and abs(block.time - expected) <= JITTER

    def append(self, block: Block) -> None:
        """Add the block that follows."""
        self._blocks.append(block.samples)
        self._length += len(block.samples)
        self.pending += len(block.samples)

    def resampled(self, *, end: bool) -> tuple[int, Samples]:
        """Return the new output samples and their position in the segment."""
        sound = np.concatenate(self._blocks)
        self._blocks, self.pending = [np.zeros(0, np.float32)], 0
        if not _peak(sound) <= _MAX_AMPLITUDE:
            bad = ~(np.abs(sound) <= _MAX_AMPLITUDE)  # also true for NaN
            sound[bad] = 0.0
            self.n_bad += int(np.count_nonzero(bad))
        if self.rate != SAMPLE_RATE:
            sound = self._at_our_rate(sound, end=end)
        skip = min(self._skip, len(sound))
        at = self._at
        self._skip -= skip
        self._at += len(sound) - skip
        return at, sound[skip:]

    def _at_our_rate(self, sound: Samples, *, end: bool) -> Samples:
        if end and self._resampler is None:  # all at once, which is faster
            return np.asarray(soxr.resample(sound, self.rate, SAMPLE_RATE, quality="HQ"))
        if self._resampler is None:
            self._resampler = soxr.ResampleStream(self.rate, SAMPLE_RATE, 1, quality="HQ")
        return np.asarray(self._resampler.resample_chunk(sound, last=end))
