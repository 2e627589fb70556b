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
    crackle,
    cymbal,
    electric_guitar,
    electric_piano,
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


def blues_shuffle(rate: int, seconds: float, seed: int) -> Stereo:
    """Twelve-bar blues in A with a boogie guitar, a walking bass and a bending lead."""
    song = Song(rate, seconds, seed, tempo=116, swing=0.655)
    form = (0, 5, 0, 0, 5, 5, 0, 0, 7, 5, 0, 7)  # I, IV and V as semitones above A
    scale = [57 + step for step in (0, 3, 5, 6, 7, 10, 12, 15, 17, 19)]
    rhythms = (
        (0.5, 1, 1.5, 2, 3, 4),
        (0, 0.5, 1, 2.5, 3, 3.5, 4.5),
        (1, 1.5, 2, 2.5, 3, 4.2),
    )
    for number, section, at in song.bars():
        root = 45 + form[number % 12]
        full = section == BODY
        for eighth in range(8):
            beat = eighth / 2
            sixth = 9 if eighth // 2 % 2 else 7
            for pitch in (root, root + sixth):
                song.play(
                    "rhythm",
                    pluck,
                    at + beat,
                    beats=0.55,
                    pitch=pitch,
                    ring=1.2,
                    bright=0.7,
                    gain=0.5 if eighth % 2 else 0.7,
                    pan=-0.4,
                )
            loud = 0.32 if eighth % 2 == 0 else 0.2
            song.play("drums", cymbal, at + beat, length=0.07, gain=loud, pan=0.3)
        for beat, step in enumerate((0, 4, 7, 9) if number % 2 else (0, 12, 10, 7)):
            song.play("bass", bass, at + beat, beats=0.85, pitch=root - 12 + step)
        if section != INTRO:
            song.play("drums", kick, at)
            song.play("drums", kick, at + 2, gain=0.9)
            song.play("drums", kick, at + 2.5, gain=0.6)
            song.play("drums", snare, at + 1, gain=0.8)
            song.play("drums", snare, at + 3, gain=0.85)
        if full and number % 4 != 3:
            for beat, beats, pitch in _phrase(song.rng, scale, rhythms[number % 3]):
                bend = -1.0 if song.rng.random() < 0.35 else 0.0
                song.play(
                    "lead",
                    electric_guitar,
                    at + beat,
                    beats=beats * 0.95,
                    pitches=(pitch,),
                    bend=bend,
                    gain=0.8,
                    pan=0.25,
                )
        if full and number % 4 == 3:
            song.play("organ", organ, at, beats=3, pitch=root + 16, gain=0.3, pan=0.5)
            song.play("organ", organ, at, beats=3, pitch=root + 22, gain=0.3, pan=0.5)
    song.amplify("rhythm", 1.3)
    song.amplify("lead", 3.0)
    return song.mix(
        0.9,
        {
            "drums": (0.8, 0.12),
            "bass": (0.6, 0.02),
            "rhythm": (0.5, 0.1),
            "lead": (0.42, 0.25),
            "organ": (0.4, 0.2),
        },
    )


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
            swell = 1 + 0.25 * np.sin(np.pi * index / 16)
            song.play(
                "piano",
                piano,
                at + index / 4,
                beats=1.2,
                pitch=notes[step],
                loose=0.009,
                gain=level * swell * (1.15 if index % 4 == 0 else 0.9),
                pan=0.25,
            )
        for beat, pitch in ((0.0, low), (2.0, low + 12)):
            song.play(
                "piano",
                piano,
                at + beat,
                beats=2.4,
                pitch=pitch,
                gain=level * 1.2,
                pan=-0.3,
                loose=0.009,
            )
        if section != INTRO:
            song.play(
                "cello",
                strings,
                at,
                beats=4.1,
                pitch=low + 12,
                bright=3.0,
                gain=0.7,
                pan=0.35,
                loose=0.015,
            )
            song.play(
                "cello",
                strings,
                at,
                beats=4.1,
                pitch=chord[0],
                bright=2.5,
                gain=0.3,
                pan=-0.2,
                loose=0.015,
            )
        if section == BODY:
            for beat, beats, pitch in tune[number % 8]:
                song.play(
                    "violins",
                    strings,
                    at + beat,
                    beats=beats * 1.06,
                    pitch=pitch,
                    gain=0.8,
                    pan=-0.35,
                    loose=0.015,
                )
    return song.mix(2.2, {"piano": (0.6, 0.22), "cello": (0.35, 0.3), "violins": (0.4, 0.35)})


def disco(rate: int, seconds: float, seed: int) -> Stereo:
    """Four on the floor, octave bass, off-beat open hats, scratched guitar and strings."""
    song = Song(rate, seconds, seed, tempo=120)
    form = ((45, "m7"), (50, "m7"), (43, "7"), (48, "maj7"))
    runs = ((0, 0.5, 1, 1.5, 2.5, 3, 4), (0, 1.5, 2, 3, 3.5, 4))
    for number, section, at in song.bars():
        root, kind = form[number % 4]
        level = 0.6 if section == INTRO else 1.0
        for beat in (0.0, 1.0, 2.0, 3.0):
            song.play("drums", kick, at + beat, gain=level, tone=54.0, length=0.26, loose=0.002)
            song.play("drums", cymbal, at + beat + 0.5, length=0.17, gain=0.42, pan=0.2)
            if section == BODY:
                for sixteenth in (0, 0.25, 0.75):
                    song.play(
                        "drums", cymbal, at + beat + sixteenth, length=0.04, gain=0.2, pan=0.2
                    )
        if section != INTRO:
            for beat in (1.0, 3.0):
                song.play("drums", snare, at + beat, gain=0.6, tone=210.0, length=0.16)
                song.play("drums", clap, at + beat, gain=0.5, pan=-0.1)
            for eighth in range(8):
                octave = 12 if eighth % 2 else 0
                song.play(
                    "bass",
                    bass,
                    at + eighth / 2,
                    beats=0.42,
                    pitch=root - 12 + octave,
                    bright=9.0,
                    gain=0.9 if octave else 1.0,
                    loose=0.002,
                )
        chord = _voicing(root, kind, 57)
        for sixteenth in (0, 3, 4, 6, 7, 10, 11, 12, 14, 15):
            ringing = sixteenth in (0, 6, 12)
            for pitch in chord:
                song.play(
                    "guitar",
                    pluck,
                    at + sixteenth / 4,
                    beats=0.35 if ringing else 0.12,
                    pitch=pitch,
                    ring=0.9 if ringing else 0.1,
                    bright=0.9,
                    place=0.1,
                    gain=0.22 if ringing else 0.14,
                    pan=0.5,
                )
        if section == BODY:
            for pitch in chord:
                song.play("pad", strings, at, beats=4, pitch=pitch + 12, gain=0.3, bright=5.0)
            scale = [69 + step for step in (0, 3, 5, 7, 10, 12, 15)]
            for beat, beats, pitch in _phrase(song.rng, scale, runs[number % 2]):
                for octave in (0, 12):
                    song.play(
                        "tune",
                        strings,
                        at + beat,
                        beats=beats,
                        pitch=pitch + octave,
                        bright=6.0,
                        gain=0.45,
                        pan=-0.3,
                    )
        if number == 0:
            song.play("drums", cymbal, at, length=1.6, low=4000.0, gain=0.5, pan=-0.3)
        if number % 4 == 3 and section == BODY:
            for step, tone in enumerate((190.0, 160.0, 130.0, 105.0)):
                song.play("drums", tom, at + 3 + step / 4, tone=tone, gain=0.6, pan=step / 2 - 0.75)
    return song.mix(
        1.1,
        {
            "drums": (0.9, 0.05),
            "bass": (0.55, 0.0),
            "guitar": (0.8, 0.08),
            "pad": (0.28, 0.25),
            "tune": (0.34, 0.25),
        },
    )


def hip_hop(rate: int, seconds: float, seed: int) -> Stereo:
    """Boom-bap drums with swung sixteenths, a sub-bass, an electric piano and vinyl crackle."""
    song = Song(rate, seconds, seed, tempo=90, swing=0.6, unit=0.25)
    form = ((50, "m9"), (46, "maj7"), (43, "m9"), (45, "m7"))
    kicks = ((0, 0.75, 2.5), (0, 1.75, 2.25, 2.5))
    for number, section, at in song.bars():
        root, kind = form[number % 4]
        song.play("vinyl", crackle, at, seconds=4.0 * song.beat, gain=0.5)
        level = 0.8 if section == INTRO else 1.0
        for pitch in _voicing(root, kind, 57):
            song.play(
                "keys", electric_piano, at, beats=2.4, pitch=pitch, gain=0.5 * level, pan=-0.2
            )
            song.play(
                "keys", electric_piano, at + 2.75, beats=1.1, pitch=pitch, gain=0.4 * level, pan=0.2
            )
        if section != INTRO:
            for beat in kicks[number % 2]:
                song.play("drums", kick, at + beat, tone=47.0, length=0.36, gain=1.0)
            for beat in (1.0, 3.0):
                song.play("drums", snare, at + beat, tone=175.0, length=0.26, gain=0.95)
            song.play("drums", snare, at + 3.75, tone=175.0, length=0.26, gain=0.25)
            for eighth in range(8):
                song.play("drums", cymbal, at + eighth / 2, length=0.06, gain=0.34, pan=0.25)
                if song.rng.random() < 0.35:
                    song.play(
                        "drums", cymbal, at + eighth / 2 + 0.25, length=0.05, gain=0.2, pan=0.25
                    )
        if section == BODY:
            low = 26 + (root - 26) % 12
            for beat, beats, step, glide in (
                (0.0, 1.5, 0, 0),
                (1.75, 0.5, 0, 0),
                (2.5, 1.2, 7, -7),
            ):
                song.play(
                    "bass", sub_bass, at + beat, beats=beats, pitch=low + step, glide=float(glide)
                )
            if number % 2:
                scale = [74 + step for step in (0, 3, 5, 7, 10, 12)]
                for beat, beats, pitch in _phrase(song.rng, scale, (0.5, 0.75, 1.5, 2, 2.75, 3.5)):
                    song.play(
                        "lead",
                        pluck,
                        at + beat,
                        beats=beats,
                        pitch=pitch,
                        bright=0.3,
                        gain=0.6,
                        pan=0.35,
                    )
    song.echo("lead", 0.75, 0.4)
    return song.mix(
        0.7,
        {
            "drums": (0.9, 0.06),
            "bass": (0.55, 0.0),
            "keys": (0.32, 0.15),
            "lead": (0.4, 0.2),
            "vinyl": (0.12, 0.0),
        },
    )


def metal(rate: int, seconds: float, seed: int) -> Stereo:
    """Palm-muted gallop on two distorted guitars over double bass drums."""
    song = Song(rate, seconds, seed, tempo=168)
    roots = (40, 40, 43, 41, 40, 40, 46, 45)  # from the low E of the guitar
    scale = [64 + step for step in (0, 1, 3, 5, 7, 8, 10, 12, 15)]
    for number, section, at in song.bars():
        root = roots[number % 8]
        if section == INTRO:
            for index, step in enumerate((0, 7, 12, 15, 19, 15, 12, 7)):
                song.play(
                    "clean",
                    pluck,
                    at + index / 2,
                    beats=1.2,
                    pitch=root + step,
                    bright=0.8,
                    gain=0.55,
                    pan=0.3,
                )
            if number == -1:
                for index in range(16):
                    song.play(
                        "drums",
                        tom,
                        at + index / 4,
                        tone=(180.0, 140.0, 110.0, 85.0)[index // 4],
                        gain=0.3 + 0.04 * index,
                        pan=index / 10 - 0.7,
                    )
            continue
        # Two bars of gallop, then open chords; each side plays for itself, so they differ.
        for side in (-1.0, 1.0):
            for beat in (0.0, 1.0, 2.0, 3.0):
                held = number % 4 == 3 and beat in (0, 2)
                if held or (beat == 0 and number % 2 == 0):
                    song.play(
                        "guitars",
                        electric_guitar,
                        at + beat,
                        beats=1.9 if held else 0.95,
                        pitches=(root, root + 7, root + 12),
                        pan=side,
                        gain=0.5,
                    )
                elif number % 4 != 3:
                    for part in (0, 0.5, 0.75):
                        song.play(
                            "guitars",
                            electric_guitar,
                            at + beat + part,
                            beats=0.24,
                            muted=True,
                            pitches=(root, root + 7),
                            pan=side,
                            gain=0.62,
                            loose=0.003,
                        )
        for eighth in range(8):
            song.play("bass", bass, at + eighth / 2, beats=0.45, pitch=root - 12, bright=12.0)
        for sixteenth in range(16):
            song.play(
                "drums",
                kick,
                at + sixteenth / 4,
                tone=58.0,
                length=0.12,
                loose=0.002,
                gain=0.8 if sixteenth % 4 == 0 else 0.62,
            )
        for beat in (0.0, 1.0, 2.0, 3.0):
            song.play("drums", cymbal, at + beat, length=0.5, low=5000.0, gain=0.3, pan=0.4)
            if beat in (1.0, 3.0):
                song.play("drums", snare, at + beat, tone=205.0, length=0.2, gain=1.0)
        if number % 4 == 0:
            song.play("drums", cymbal, at, length=1.8, low=3500.0, gain=0.7, pan=-0.4)
        if section == BODY and number % 8 >= 4:
            rhythm = [step / 4 for step in range(17)] if number % 2 else [0, 0.5, 1, 1.5, 2, 3, 4]
            for beat, beats, pitch in _phrase(song.rng, scale, rhythm):
                song.play(
                    "lead",
                    electric_guitar,
                    at + beat,
                    beats=beats,
                    pitches=(pitch + 12,),
                    gain=0.7,
                    pan=0.1,
                )
    song.amplify("guitars", 14.0)
    song.amplify("lead", 9.0)
    return song.mix(
        0.8,
        {
            "drums": (0.9, 0.08),
            "bass": (0.4, 0.0),
            "guitars": (0.3, 0.02),
            "lead": (0.2, 0.3),
            "clean": (0.5, 0.3),
        },
    )


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
            for pitch in chord:
                song.play(
                    "skank",
                    pluck,
                    at + beat,
                    beats=0.32,
                    pitch=pitch + 12,
                    ring=0.5,
                    gain=0.4,
                    bright=0.8,
                    place=0.3,
                    pan=-0.4,
                )
                song.play("skank", piano, at + beat, beats=0.3, pitch=pitch, gain=0.28, pan=0.35)
        for eighth in range(8):
            song.play(
                "drums",
                cymbal,
                at + eighth / 2,
                length=0.05,
                pan=0.25,
                gain=0.3 if eighth % 2 == 0 else 0.18,
            )
        if section != INTRO:
            song.play("drums", kick, at + 2, tone=48.0, length=0.34, gain=1.0)
            song.play("drums", rim, at + 2, gain=0.7, pan=0.05)
            if number % 4 == 3:
                for step, beat in enumerate((3.0, 3.25, 3.5)):
                    song.play(
                        "drums",
                        tom,
                        at + beat,
                        tone=210.0 - 35 * step,
                        gain=0.5,
                        pan=0.3 * step - 0.3,
                    )
            for beat, beats, step in lines[number % 2]:
                low = 28 + (root - 28) % 12
                song.play(
                    "bass", bass, at + beat, beats=beats, pitch=low + step, bright=3.0, decay=0.5
                )
        if section == BODY:
            for beat in (0.5, 1.5, 2.5, 3.5):
                for pitch in chord:
                    song.play("organ", organ, at + beat, beats=0.28, pitch=pitch, gain=0.3, pan=0.2)
            if number % 4 < 2:
                for beat, beats, pitch in _phrase(song.rng, scale, rhythms[number % 2]):
                    song.play("tune", reed, at + beat, beats=beats, pitch=pitch, gain=0.6, pan=-0.1)
        if section == OUTRO and number % 2 == 0:
            song.play("tune", reed, at, beats=3.0, pitch=69, gain=0.4)
    song.echo("tune", 1.5, 0.5)
    return song.mix(
        1.0,
        {
            "drums": (0.85, 0.1),
            "bass": (0.6, 0.0),
            "skank": (0.6, 0.12),
            "organ": (0.32, 0.1),
            "tune": (0.3, 0.25),
        },
    )
