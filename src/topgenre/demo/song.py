"""Arrange a song: a clock with swing, tracks of notes, and a mixer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from topgenre.demo import effects
from topgenre.demo.instruments import FORMANTS, Wave

BEATS = 4  # in a bar: all the demo songs are in common time
INTRO, BODY, OUTRO = "intro", "body", "outro"
_LOUDNESS = {"X": 1.0, "x": 0.7, "o": 0.4}
_TAKES = 3  # recordings of each note, so that repeated ones are not copies of each other


class Bar(NamedTuple):
    """One bar of the form.

    `number` counts from the first bar of the body, so an intro's bars are negative and lead into
    it; `beat` is where the bar begins.
    """

    number: int
    section: str
    beat: float


class Song:
    """Tracks of one song, its tempo and its players' small inaccuracies.

    Parameters
    ----------
    rate : int
        Sample rate in hertz.
    seconds : float
        Length of the song; notes that ring on are cut there.
    seed : int
        Seed of everything random: the same seed gives the same song.
    tempo : float
        Beats per minute.
    swing : float
        Where the second of two notes falls between the first and the next pair: 0.5 is straight,
        2/3 a shuffle.
    unit : float
        The notes that swing, in beats: 0.5 for eighths, 0.25 for sixteenths.
    """

    def __init__(
        self,
        rate: int,
        seconds: float,
        seed: int,
        *,
        tempo: float,
        swing: float = 0.5,
        unit: float = 0.5,
    ) -> None:
        self.rate = rate
        self.seed = seed
        self.rng = np.random.default_rng([seed, round(tempo)])
        self.beat = 60.0 / tempo
        self._samples = round(seconds * rate)
        self._swing = swing
        self._unit = unit
        self._tracks: dict[str, effects.Stereo] = {}
        self._notes: dict[tuple[Any, ...], Wave] = {}

    def bars(self) -> Iterator[Bar]:
        """Yield the bars of the form: a fifth of intro, the body, a fifth of outro."""
        count = int(np.ceil(self._samples / (self.rate * self.beat * BEATS)))
        ends = round(count / 5)
        for index in range(count):
            section = INTRO if index < ends else OUTRO if index >= count - ends else BODY
            yield Bar(index - ends, section, float(index * BEATS))

    def seconds(self, beats: float) -> float:
        """Return when the given beat falls, with swing."""
        pair = 2 * self._unit
        whole, part = divmod(beats, pair)
        turn = pair * self._swing
        if part < self._unit:
            part *= turn / self._unit
        else:
            part = turn + (part - self._unit) * (pair - turn) / self._unit
        return (whole * pair + part) * self.beat

    def play(
        self,
        track: str,
        instrument: Callable[..., Wave],
        beat: float,
        *,
        gain: float = 1.0,
        pan: float = 0.0,
        loose: float = 0.004,
        beats: float | None = None,
        **settings: Any,
    ) -> None:
        """Place one note.

        Parameters
        ----------
        track : str
            Track that it is recorded on.
        instrument : callable
            One of `topgenre.demo.instruments`.
        beat : float
            When it begins, in beats from the beginning of the song.
        gain, pan : float
            How loud, and where between left (-1) and right (1).
        loose : float
            Standard deviation of the player's timing in seconds.
        beats : float, optional
            How long it lasts, for an instrument that has a `length`.
        **settings
            What else the instrument takes.
        """
        if beats is not None:
            settings["length"] = round(beats * self.beat, 4)
        take = int(self.rng.integers(_TAKES))
        timing, touch = self.rng.standard_normal(2)
        start = max(0, round((self.seconds(beat) + loose * timing) * self.rate))
        if start >= self._samples:
            return
        key = (instrument, take, *sorted(settings.items()))
        if key not in self._notes:
            self._notes[key] = instrument(self.rate, self.rng, **settings)
        note = self._notes[key][: self._samples - start]
        level = gain * (1 + 0.07 * float(np.clip(touch, -2, 2)))
        angle = (pan + 1) * np.pi / 4
        tape = self._tape(track)
        tape[0, start : start + len(note)] += np.float32(level * np.cos(angle)) * note
        tape[1, start : start + len(note)] += np.float32(level * np.sin(angle)) * note

    def pattern(
        self,
        track: str,
        instrument: Callable[..., Wave],
        beat: float,
        steps: str,
        *,
        step: float = 0.25,
        gain: float = 1.0,
        **how: Any,
    ) -> None:
        """Play a note at each mark of `steps`, `step` beats apart: X loud, x softer, o soft."""
        for index, mark in enumerate(steps):
            if mark in _LOUDNESS:
                at = beat + index * step
                self.play(track, instrument, at, gain=gain * _LOUDNESS[mark], **how)

    def chord(
        self,
        track: str,
        instrument: Callable[..., Wave],
        beat: float,
        pitches: Iterable[float],
        **how: Any,
    ) -> None:
        """Play several pitches at once."""
        for pitch in pitches:
            self.play(track, instrument, beat, pitch=pitch, **how)

    def words(self) -> str:
        """Return the two vowels of a syllable."""
        return "".join(self.rng.choice(list(FORMANTS), 2))

    def amplify(self, track: str, drive: float) -> None:
        """Play a whole track through a distorting amplifier."""
        self._tracks[track] = effects.amplify(self._tape(track), self.rate, drive)

    def echo(self, track: str, beats: float, feedback: float) -> None:
        """Add the repeats of a tape echo, `beats` apart, to a track."""
        tape = self._tape(track)
        tape += effects.echo(tape, self.rate, beats * self.beat, feedback)

    def mix(
        self,
        room: float,
        desk: dict[str, tuple[float, float]],
        *,
        headroom: float = 7.0,
        treble: float = 0.0,
    ) -> effects.Stereo:
        """Mix the tracks down.

        Parameters
        ----------
        room : float
            Reverberation time of the room in seconds.
        desk : dict
            Level, and share that is sent to the room, of every track.
        headroom : float
            How far above the mean level, as a factor, the limiter bends the peaks: less is louder.
        treble : float
            Decibels that the whole mix gains above 2.5 kHz.

        Returns
        -------
        numpy.ndarray
            Float32 samples, shape (2, n), with a peak of -1 dBFS.
        """
        dry = np.zeros((2, self._samples), dtype=np.float32)
        send = np.zeros(self._samples, dtype=np.float32)
        for name, (level, share) in desk.items():
            tape = self._tape(name)
            dry += np.float32(level) * tape
            send += np.float32(level * share) * (tape[0] + tape[1])
        wet = effects.reverberate(send, self.rate, room, self.seed)
        mix = effects.brighten(dry + wet, self.rate, treble)
        return effects.master(mix, self.rate, headroom)

    def _tape(self, track: str) -> effects.Stereo:
        if track not in self._tracks:
            self._tracks[track] = np.zeros((2, self._samples), dtype=np.float32)
        return self._tracks[track]
