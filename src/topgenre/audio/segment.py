"""Cut the segment out of the decoded sound, at 22 050 Hz, and judge whether it can be used."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd

import numpy as np
import soxr
from numpy.typing import NDArray

from topgenre.audio.track import JITTER, Block, Samples, Track
from topgenre.errors import DamagedAudioError, SilentError, TooShortError

SAMPLE_RATE = 22_050  # Hz
SEGMENT_SECONDS = 10.0
MIN_SECONDS = 1.0
SILENCE_PEAK = 1e-4  # -80 dBFS: three steps of 16-bit audio, so that dither alone is silence
_LEAD = Fraction(1, 2)  # s decoded around the segment: codec history and filter edges end in it
_MAX_AMPLITUDE = 1_000.0  # 60 dB over full scale: no music, but what damaged codecs produce
_MAX_BAD_SHARE = 0.01  # of the samples
_BATCH = 1 << 20  # samples that are resampled at once: 24 s at 44.1 kHz


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
        What the user should know about this segment, such as damage that was bridged.
    duration : float, optional
        Seconds of the whole sound, where it is known.
    """

    samples: Samples
    start: float
    end: float
    notices: tuple[str, ...] = ()
    duration: float | None = None


@dataclass(slots=True)
class Excerpt:
    """The segment as far as it could be decoded.

    Positions count output samples from the beginning of the sound.
    """

    begin: int
    total: int
    samples: Samples
    covered: NDArray[np.bool_]
    bad_seconds: float = 0.0
    shortfall: float = 0.0  # seconds that the header promises, but that were not found

    @classmethod
    def of(cls, track: Track, length: int) -> Excerpt | None:
        """Decode the middle `length` output samples, or give None if the sound cannot be found."""
        extent = track.extent()
        if extent is None:
            return None
        start, end = extent
        total = int((end - start) * SAMPLE_RATE)
        begin = max(0, total - length) // 2
        length = min(length, total)
        excerpt = cls(begin, total, np.zeros(length, np.float32), np.zeros(length, np.bool_))
        first = start + Fraction(begin, SAMPLE_RATE)
        last = first + Fraction(length, SAMPLE_RATE)
        if track.promised:
            excerpt.shortfall = float(track.promised - (end - start))
        run: _Run | None = None
        for block in track.blocks(first - _LEAD, last + _LEAD):
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
        """Put in what a run holds."""
        at, sound = run.resampled(end=end)
        source = sound[max(0, -at) : max(0, len(self.samples) - at)]
        target = slice(max(0, at), max(0, at) + len(source))
        self.samples[target] = source
        self.covered[target] = True
        if end:
            self.bad_seconds += run.n_bad / run.rate

    @property
    def complete(self) -> bool:
        """Whether nothing that could be heard is missing."""
        return bool(self.missing < JITTER)

    @property
    def plausible(self) -> bool:
        """Whether all of it was decoded, and the sound is as long as its header says."""
        return self.complete and abs(self.shortfall) <= 1

    @property
    def missing(self) -> float:
        """Seconds of the segment that could not be decoded."""
        return int(np.count_nonzero(~self.covered)) / SAMPLE_RATE

    def segment(self, label: str, length: int) -> Segment:
        """Check the excerpt and say what is wrong with it."""
        self._check(label)
        notices = []
        if len(self.samples) < min(length, SEGMENT_SECONDS * SAMPLE_RATE):
            notices.append(
                f"only {self.total / SAMPLE_RATE:.1f} s of sound: "
                f"judgements rest on {SEGMENT_SECONDS:g} s as a rule"
            )
        if self.shortfall > 1:
            notices.append(
                f"the file is cut off: {self.shortfall:.1f} s that its header promises are missing"
            )
        if not self.complete:
            notices.append(f"{self.missing:.1f} s of the segment are damaged and left silent")
        if self.bad_seconds:
            notices.append("damaged samples were set to zero")
        return Segment(
            self.samples,
            self.begin / SAMPLE_RATE,
            (self.begin + len(self.samples)) / SAMPLE_RATE,
            tuple(notices),
            self.total / SAMPLE_RATE,
        )

    def _check(self, label: str) -> None:
        sound = self.total / SAMPLE_RATE
        decoded = len(self.samples) / SAMPLE_RATE - self.missing
        if sound < MIN_SECONDS and self.shortfall <= 1:
            raise TooShortError(
                f"{label}: only {sound:.2f} s of sound; at least {MIN_SECONDS:g} s are needed."
            )
        if decoded < MIN_SECONDS or self.bad_seconds > _MAX_BAD_SHARE * decoded:
            raise DamagedAudioError(
                f"{label}: too little of its middle can be decoded; get a fresh copy of the file."
            )
        if np.abs(self.samples).max() < SILENCE_PEAK:
            raise SilentError(
                f"{label}: the middle {len(self.samples) / SAMPLE_RATE:.1f} s are silent; "
                "cut out a part with sound."
            )


class _Run:
    """Decoded sound without a gap, at one sample rate, resampled while it arrives.

    Parameters
    ----------
    block : Block
        The first one.
    start : Fraction
        When the sound begins, in seconds on the clock of the blocks.
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
        # Resampling keeps the phase it would have over the whole sound only from those instants
        # on where an input and an output sample coincide: begin at the one before the run.
        step = self.rate // gcd(self.rate, SAMPLE_RATE)
        position = round((block.time - start) * self.rate)
        lead = position % step
        self._blocks = [np.zeros(lead, np.float32)]
        if self.rate != SAMPLE_RATE:
            self._resampler = soxr.ResampleStream(self.rate, SAMPLE_RATE, 1, quality="HQ")
        self._skip = ceil(Fraction(lead * SAMPLE_RATE, self.rate))
        self._at = (position - lead) * SAMPLE_RATE // self.rate + self._skip - begin

    def continues(self, block: Block) -> bool:
        """Tell whether a block follows without a gap."""
        expected = self._time + Fraction(self._length, self.rate)
        return block.rate == self.rate and abs(block.time - expected) <= JITTER

    def append(self, block: Block) -> None:
        """Add the block that follows."""
        self._blocks.append(block.samples)
        self._length += len(block.samples)
        self.pending += len(block.samples)

    def resampled(self, *, end: bool) -> tuple[int, Samples]:
        """Give the output samples since the last call, and where in the segment they belong."""
        sound = np.concatenate(self._blocks)
        self._blocks, self.pending = [np.zeros(0, np.float32)], 0
        bad = ~(np.abs(sound) <= _MAX_AMPLITUDE)  # true of not-a-number too
        sound[bad] = 0.0
        self.n_bad += int(np.count_nonzero(bad))
        if self._resampler:
            sound = self._resampler.resample_chunk(sound, last=end)
        skip = min(self._skip, len(sound))
        at = self._at
        self._skip -= skip
        self._at += len(sound) - skip
        return at, sound[skip:]
