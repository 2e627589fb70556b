"""The demo songs, one function each: who plays what, and when.

A style takes a sample rate, a length and a seed, and returns the mixed song. All of them open
quietly with few instruments, play in full through the middle, and thin out towards the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from topgenre.demo.effects import Stereo
from topgenre.demo.instruments import (
    bass,
    clap,
    cymbal,
    electric_guitar,
    kick,
    organ,
    piano,
    pluck,
    reed,
    rim,
    snare,
    strings,
    sub_bass,
    tom,
    voice,
)
from topgenre.demo.song import BODY, INTRO, OUTRO, Song

_CHORDS = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m9": (0, 3, 7, 10, 14),
}


def _voicing(root: int, kind: str, lowest: int) -> tuple[int, ...]:
    """Return the chord's pitches in close position, none of them below `lowest`."""
    return tuple(sorted(lowest + (root + step - lowest) % 12 for step in _CHORDS[kind]))


def _phrase(
    rng: np.random.Generator, scale: Sequence[int], rhythm: Sequence[float]
) -> Iterator[tuple[float, float, int]]:
    """Yield (beat, beats, pitch) of a tune that wanders along a scale and comes home."""
    degree = int(rng.integers(len(scale) // 3, len(scale) - 1))
    for index, beat in enumerate(rhythm[:-1]):
        yield beat, rhythm[index + 1] - beat, scale[degree]
        degree += int(rng.choice([-2, -1, -1, 1, 1, 2]))
        degree = min(max(degree, 0), len(scale) - 1)


def shuffle_in_a(rate: int, seconds: float, seed: int) -> Stereo:
    """Twelve bars in A: a singer calls, a harmonica answers, over boogie and a stomp."""
    song = Song(rate, seconds, seed, tempo=96, swing=0.66)
    form = (0, 5, 0, 0, 5, 5, 0, 0, 7, 5, 0, 7)  # I, IV and V as semitones above A
    scale = [57 + step for step in (0, 3, 5, 6, 7, 10, 12)]
    rhythms = ((0, 0.5, 1, 2.5, 3, 3.5, 4), (0.5, 1, 1.5, 2, 2.5, 4))
    for number, section, at in song.bars():
        root = 45 + form[number % 12]
        for eighth, step in enumerate((7, 7, 9, 9, 10, 9, 7, 3)):
            how = {"beats": 0.8, "ring": 1.5, "bright": 0.15, "gain": 0.6 if eighth % 2 else 0.9}
            song.chord("boogie", pluck, at + eighth / 2, (root - 12, root, root + step), **how)
        song.pattern(
            "bass", bass, at, "XxXxXxXx", step=0.5, beats=0.45, pitch=root - 12, bright=3.0
        )
        song.pattern("stomp", kick, at, "XxXx", step=1, tone=70.0, length=0.15)
        if section != INTRO:
            song.pattern("stomp", snare, at, "-X-X", step=1, gain=0.5)
        sings = number % 4 < 2
        for beat, beats, pitch in _phrase(song.rng, scale, rhythms[number % 2]):
            if section == BODY and sings:
                song.play(
                    "singer", voice, at + beat, beats=beats, pitch=pitch, bend=-2.0,
                    vowels=song.words(), growl=0.15,
                )  # fmt: skip
            elif section == BODY:
                song.play("harp", reed, at + beat, beats=beats, pitch=pitch + 12, bend=-2.0)
    desk = {
        "stomp": (0.7, 0.15), "bass": (0.25, 0.0), "boogie": (0.7, 0.1),
        "harp": (0.3, 0.2), "singer": (0.7, 0.15),
    }  # fmt: skip
    return song.mix(0.9, desk, headroom=4.0)


def classical_arpeggios(rate: int, seconds: float, seed: int) -> Stereo:
    """Piano arpeggios in D minor under a string melody, in a large hall, without drums."""
    song = Song(rate, seconds, seed, tempo=80)
    form = (
        (38, 62, 65, 69), (43, 62, 67, 70), (45, 61, 64, 67), (38, 62, 65, 69),
        (46, 62, 65, 70), (43, 62, 67, 70), (40, 61, 67, 70), (45, 61, 64, 69),
    )  # fmt: skip
    tune = (
        ((0, 2, 81), (2, 1, 79), (3, 1, 77)), ((0, 3, 79), (3, 1, 82)),
        ((0, 1.5, 81), (1.5, 0.5, 79), (2, 2, 76)), ((0, 3, 77), (3, 1, 74)),
        ((0, 2, 82), (2, 2, 86)), ((0, 1, 84), (1, 1, 82), (2, 2, 79)),
        ((0, 2, 79), (2, 1, 76), (3, 1, 73)), ((0, 2, 76), (2, 2, 73)),
    )  # fmt: skip
    up_and_down = (0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 3, 2, 4, 3, 2, 1)
    for number, section, at in song.bars():
        low, *chord = form[number % 8]
        notes = [*chord, *(pitch + 12 for pitch in chord)]
        level = 0.45 if section == INTRO else 0.7
        for index, step in enumerate(up_and_down):
            swell = (1 + 0.25 * np.sin(np.pi * index / 16)) * (0.9 if index % 4 else 1.15)
            song.play(
                "piano", piano, at + index / 4, beats=1.2, pitch=notes[step],
                gain=level * swell, pan=0.25, loose=0.009,
            )  # fmt: skip
        for beat, pitch in ((0.0, low), (2.0, low + 12)):
            song.play(
                "piano", piano, at + beat, beats=2.4, pitch=pitch,
                gain=level * 1.2, pan=-0.3, loose=0.009,
            )  # fmt: skip
        if section != INTRO:
            bow = {"beats": 4.1, "loose": 0.015}
            song.play("cello", strings, at, pitch=low + 12, bright=3.0, gain=0.7, pan=0.35, **bow)
            song.play("cello", strings, at, pitch=chord[0], bright=2.5, gain=0.3, pan=-0.2, **bow)
        if section == BODY:
            for beat, beats, pitch in tune[number % 8]:
                song.play(
                    "violins", strings, at + beat, beats=beats * 1.06, pitch=pitch,
                    gain=0.8, pan=-0.35, loose=0.015,
                )  # fmt: skip
    return song.mix(2.2, {"piano": (0.6, 0.22), "cello": (0.35, 0.3), "violins": (0.4, 0.35)})


def disco(rate: int, seconds: float, seed: int) -> Stereo:
    """Four on the floor by a band: octave bass, open hats, congas, scratched guitar, strings."""
    song = Song(rate, seconds, seed, tempo=118)
    drummer = {"loose": 0.01}  # not a machine
    form = ((45, "m7"), (50, "m7"), (43, "7"), (48, "maj7"))
    runs = ((0, 0.5, 1, 1.5, 2.5, 3, 4), (0, 1.5, 2, 3, 3.5, 4))
    for number, section, at in song.bars():
        root, kind = form[number % 4]
        level = 0.6 if section == INTRO else 1.0
        song.pattern(
            "drums", kick, at, "XXXX", step=1, gain=level, tone=62.0, length=0.18, **drummer
        )
        song.pattern(
            "drums", cymbal, at, "-X-X-X-X", step=0.5, length=0.2, low=5000.0, gain=0.42, pan=0.2,
            **drummer,
        )  # fmt: skip
        if section == BODY:
            song.pattern("drums", cymbal, at, "XX-X" * 4, length=0.04, gain=0.2, pan=0.2, **drummer)
        if section != INTRO:
            song.pattern(
                "drums", snare, at, "-X-X", step=1, gain=0.7, tone=190.0, length=0.22, **drummer
            )
            song.pattern("drums", clap, at, "-X-X", step=1, gain=0.25, pan=-0.1)
            for tone, steps in ((330.0, "--x-x--x--xX-xX-"), (220.0, "X--X--X--X-----x")):
                song.pattern("congas", tom, at, steps, gain=0.5, tone=tone, pan=-0.5)
            for octave, steps in ((-12, "X-X-X-X-"), (0, "-X-X-X-X")):
                song.pattern(
                    "bass", bass, at, steps, step=0.5, beats=0.42, pitch=root + octave,
                    bright=5.0, **drummer,
                )  # fmt: skip
        chord = _voicing(root, kind, 57)
        for steps, beats, ring in (
            ("X-----X-----X---", 0.35, 0.9),
            ("---xx--x--xx--xx", 0.12, 0.1),
        ):
            for pitch in chord:
                song.pattern(
                    "guitar", pluck, at, steps, beats=beats, pitch=pitch, ring=ring,
                    bright=0.9, place=0.1, gain=0.22, pan=0.5,
                )  # fmt: skip
        if section == BODY:
            pad = [pitch + 12 for pitch in chord]
            song.chord("pad", strings, at, pad, beats=4, gain=0.3, bright=5.0)
            scale = [69 + step for step in (0, 3, 5, 7, 10, 12, 15)]
            for beat, beats, pitch in _phrase(song.rng, scale, runs[number % 2]):
                octaves = (pitch, pitch + 12)
                song.chord(
                    "tune",
                    strings,
                    at + beat,
                    octaves,
                    beats=beats,
                    bright=6.0,
                    gain=0.45,
                    pan=-0.3,
                )
        if number == 0:
            song.play("drums", cymbal, at, length=1.6, low=4000.0, gain=0.5, pan=-0.3)
        if number % 4 == 3 and section == BODY:
            song.pattern("drums", snare, at + 3, "xxXX", gain=0.5, length=0.15, **drummer)
    desk = {
        "drums": (0.7, 0.1), "congas": (0.35, 0.1), "bass": (0.45, 0.0), "guitar": (1.4, 0.08),
        "pad": (0.25, 0.25), "tune": (0.3, 0.25),
    }  # fmt: skip
    return song.mix(1.0, desk, headroom=5.0, treble=3.0)


def hip_hop(rate: int, seconds: float, seed: int) -> Stereo:
    """Rap sixteenths over an 808 kick, a sparse snare, hats and a short loop."""
    song = Song(rate, seconds, seed, tempo=92, swing=0.56, unit=0.25)
    loop = ((0, 62), (0.75, 65), (1.5, 62), (2.5, 69), (3.25, 68))
    kicks = ("X--X------X-----", "X------X--X--X--")
    for number, section, at in song.bars():
        for beat, pitch in loop:
            song.play(
                "loop", pluck, at + beat, beats=0.5, pitch=pitch, bright=0.3, ring=0.8, pan=0.3
            )
        if section != INTRO:
            song.pattern("drums", kick, at, kicks[number % 2], tone=47.0, length=0.3)
            song.pattern("drums", snare, at, "-X-X", step=1, tone=185.0, length=0.2)
            song.pattern("drums", clap, at, "-X-X", step=1, gain=0.5)
            song.pattern("drums", cymbal, at, "XoxoXoxoXoxoXoxx", length=0.05, gain=0.3, pan=0.2)
            song.pattern(
                "bass", sub_bass, at, kicks[number % 2], beats=0.9, pitch=26 + (number % 4 == 3),
                glide=7.0,
            )  # fmt: skip
        if section == BODY:
            # Speech: nearly every sixteenth a syllable, high on the beat, falling at a line's end.
            for sixteenth in range(14):
                if song.rng.random() < 0.85:
                    stressed = sixteenth % 4 == 0
                    pitch = 47 + 3 * stressed + int(song.rng.integers(3)) - sixteenth // 5
                    song.play(
                        "rap", voice, at + sixteenth / 4, beats=0.3 if stressed else 0.22,
                        pitch=pitch, bend=2.0, vowels=song.words(), growl=0.1,
                        gain=1.0 if stressed else 0.75, loose=0.01,
                    )  # fmt: skip
    desk = {"drums": (0.9, 0.02), "bass": (0.6, 0.0), "loop": (0.25, 0.1), "rap": (0.8, 0.03)}
    return song.mix(0.5, desk, headroom=3.0)


def metal(rate: int, seconds: float, seed: int) -> Stereo:
    """Palm-muted and tremolo-picked distorted guitars, double bass drums and a growl."""
    song = Song(rate, seconds, seed, tempo=200)
    roots = (36, 36, 39, 37, 36, 36, 42, 41)  # guitars tuned down to C
    for number, section, at in song.bars():
        root = roots[number % 8]
        for side in (-1.0, 1.0):  # each side plays for itself, so they differ
            guitar = {"pan": side, "loose": 0.003}
            power = (root, root + 7, root + 12)
            if number % 4 == 3:  # chords that ring
                song.pattern(
                    "guitars",
                    electric_guitar,
                    at,
                    "X-X-",
                    step=1,
                    beats=1.95,
                    pitches=power,
                    **guitar,
                )
            elif number % 2:  # tremolo picking
                song.pattern(
                    "guitars", electric_guitar, at, "X" * 16, beats=0.25, pitches=power, **guitar
                )
            else:  # a gallop, muted by the palm, after a chord
                song.pattern(
                    "guitars", electric_guitar, at, "X---------------", beats=0.95, pitches=power,
                    **guitar,
                )  # fmt: skip
                song.pattern(
                    "guitars", electric_guitar, at, "----X-XXX-XXX-XX", beats=0.24, muted=True,
                    pitches=(root, root + 7), **guitar,
                )  # fmt: skip
        song.pattern("bass", bass, at, "X" * 8, step=0.5, beats=0.45, pitch=root - 12, bright=12.0)
        song.pattern("drums", kick, at, "Xxxx" * 4, tone=58.0, length=0.12, loose=0.002)
        song.pattern("drums", cymbal, at, "XXXX", step=1, length=0.5, low=5000.0, gain=0.4, pan=0.4)
        song.pattern("drums", snare, at, "-X-X", step=1, tone=205.0, length=0.2)
        if number % 4 == 0:
            song.play("drums", cymbal, at, length=1.8, low=3500.0, gain=0.8, pan=-0.4)
        if section == BODY and number % 8 < 4:
            for beat, beats in ((0, 0.9), (1, 0.45), (1.5, 0.45), (2, 1.8)):
                song.play(
                    "growl",
                    voice,
                    at + beat,
                    beats=beats,
                    pitch=root,
                    vowels="ao",
                    growl=1.0,
                )
    song.amplify("guitars", 30.0)
    desk = {
        "drums": (2.4, 0.1), "bass": (0.3, 0.0), "guitars": (0.5, 0.02),
        "growl": (0.8, 0.1),
    }  # fmt: skip
    return song.mix(0.8, desk, headroom=4.0, treble=9.0)


def reggae(rate: int, seconds: float, seed: int) -> Stereo:
    """One-drop drums, off-beat skank, bubbling organ, a heavy bass and a melodica with echo."""
    song = Song(rate, seconds, seed, tempo=144, swing=0.56)
    form = ((45, "m"), (50, "m"), (45, "m"), (40, "m"), (41, ""), (43, ""), (45, "m"), (45, "m"))
    lines = (
        ((0.5, 0.9, 0), (1.5, 0.5, 0), (2, 0.9, 7), (3, 0.9, 10)),
        ((0, 1.4, 0), (2, 0.5, 3), (2.5, 0.5, 5), (3, 0.9, 7)),
    )
    scale = [69 + step for step in (0, 3, 5, 7, 10, 12, 15)]
    rhythms = ((0, 1, 1.5, 2, 3.5), (0.5, 1, 2, 2.5, 4))
    for number, section, at in song.bars():
        root, kind = form[number % 8]
        chord = _voicing(root, kind, 57)
        # The pulse is felt in half time: the skank falls between its beats, the drop on its third.
        for beat in (1.0, 3.0):
            high = [pitch + 12 for pitch in chord]
            song.chord(
                "skank", pluck, at + beat, high, beats=0.32, ring=0.5, gain=0.4, bright=0.8,
                place=0.3, pan=-0.4,
            )  # fmt: skip
            song.chord("skank", piano, at + beat, chord, beats=0.3, gain=0.28, pan=0.35)
        song.pattern("drums", cymbal, at, "XxXxXxXx", step=0.5, length=0.05, gain=0.3, pan=0.25)
        if section != INTRO:
            song.play("drums", kick, at + 2, tone=48.0, length=0.34)
            song.play("drums", rim, at + 2, gain=0.7, pan=0.05)
            if number % 4 == 3:
                for step, beat in enumerate((3.0, 3.25, 3.5)):
                    tone, pan = 210.0 - 35 * step, 0.3 * step - 0.3
                    song.play("drums", tom, at + beat, tone=tone, gain=0.5, pan=pan)
            low = 28 + (root - 28) % 12
            for beat, beats, step in lines[number % 2]:
                song.play(
                    "bass", bass, at + beat, beats=beats, pitch=low + step, bright=3.0, decay=0.5
                )
        if section == BODY:
            for beat in (0.5, 1.5, 2.5, 3.5):
                song.chord("organ", organ, at + beat, chord, beats=0.28, gain=0.3, pan=0.2)
            if number % 4 == 3:
                for beat, beats, pitch in _phrase(song.rng, scale, rhythms[number // 4 % 2]):
                    song.play("tune", reed, at + beat, beats=beats, pitch=pitch, gain=0.6, pan=-0.1)
        if section == OUTRO and number % 2 == 0:
            song.play("tune", reed, at, beats=3.0, pitch=69, gain=0.4)
    song.echo("tune", 1.5, 0.5)
    desk = {
        "drums": (0.95, 0.1), "bass": (0.5, 0.0), "skank": (0.6, 0.12),
        "organ": (0.45, 0.1), "tune": (0.2, 0.25),
    }  # fmt: skip
    return song.mix(1.0, desk, headroom=5.0, treble=7.0)
