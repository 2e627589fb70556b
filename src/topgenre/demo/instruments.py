"""Synthesise instruments: each function makes one note of mono sound.

Pitches are MIDI note numbers (69 is the A of 440 Hz), lengths are in seconds, and a note peaks
near 1. Nothing here filters sample by sample: tones are summed from partials or read from a
table of one period, noise is shaped in the frequency domain.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]
Generator = np.random.Generator

_TABLE = 2048  # samples in one period of a wavetable

# Hertz, the first three resonances of the throat and mouth; Peterson and Barney, 1952 (men).
FORMANTS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}


def hertz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch in equal temperament."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def _times(rate: int, seconds: float) -> NDArray[np.float64]:
    return np.arange(max(1, round(seconds * rate))) / rate


def _finish(note: NDArray[np.float64], rate: int, attack: float, release: float) -> Wave:
    """Fade a note in and out so that it never clicks, and bring its peak to 1."""
    n = len(note)
    rise = np.arange(n) / max(1.0, attack * rate)
    fall = np.arange(n, 0, -1) / max(1.0, release * rate)
    note = note * np.minimum(np.minimum(rise, fall), 1.0)
    return (note / max(float(np.abs(note).max()), 1e-9)).astype(np.float32)


def _shaped_noise(
    rate: int, rng: Generator, seconds: float, low: float, high: float
) -> NDArray[np.float64]:
    """Return band-limited noise with slopes of 12 dB per octave."""
    n = max(2, round(seconds * rate))
    frequencies = np.fft.rfftfreq(n, 1 / rate) + 1e-9
    gain = 1 / np.sqrt((1 + (low / frequencies) ** 4) * (1 + (frequencies / high) ** 4))
    gain[0] = 0.0
    noise: NDArray[np.float64] = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * gain, n)
    noise /= np.abs(noise).max()
    return noise


def _table(rate: int, frequency: float, cutoff: float, *, odd: bool = False) -> NDArray[np.float64]:
    """Return one period of a band-limited sawtooth or square wave."""
    harmonic = np.arange(1, _TABLE // 2)
    gain = 1 / harmonic / (1 + (harmonic * frequency / cutoff) ** 4) ** 0.5
    gain[harmonic * frequency > 0.45 * rate] = 0.0
    if odd:
        gain[1::2] = 0.0
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    spectrum[1:-1] = -1j * gain
    wave: NDArray[np.float64] = np.fft.irfft(spectrum, _TABLE)
    wave /= np.abs(wave).max()
    return wave


def _read(table: NDArray[np.float64], phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """Read a table at phases in turns (0 or more), with linear interpolation."""
    position = phase * _TABLE
    index = position.astype(np.int64)
    position -= index
    index &= _TABLE - 1
    value: NDArray[np.float64] = table[index]
    slope = np.append(table[1:], table[0]) - table
    return value + position * slope[index]


def _decaying_sines(
    rate: int, n: int, partials: list[tuple[float, float, float, complex]]
) -> NDArray[np.float64]:
    """Return the sum of (level, frequency, decay per second, phase factor) partials.

    Every exponential is the product of a coarse and a fine one, so that all of them together are
    one small matrix product.
    """
    step = 256
    level, frequency, decay, phase = (np.array(column) for column in zip(*partials, strict=True))
    power = (2j * np.pi * frequency - decay) / rate
    fine = np.exp(np.outer(power, np.arange(step)))
    coarse = np.exp(np.outer(power, np.arange(0, n, step))) * (level * phase)[:, None]
    total: NDArray[np.float64] = (coarse.T @ fine).imag.ravel()[:n]
    return total


def _vibrato(t: NDArray[np.float64], depth: float, speed: float = 5.2) -> NDArray[np.float64]:
    """Return the phase offset in seconds of a vibrato that starts after 0.25 s."""
    onset = np.clip((t - 0.15) / 0.3, 0.0, 1.0)
    return depth * onset * np.sin(2 * np.pi * speed * t) / (2 * np.pi * speed)


# Drums


def kick(rate: int, rng: Generator, *, tone: float = 50.0, length: float = 0.32) -> Wave:
    """Bass drum: a sine that falls to `tone` Hz within 50 ms, and a click."""
    t = _times(rate, length)
    sweep = 2 * np.pi * (tone * t + 110 / 38 * (1 - np.exp(-38 * t)))
    drum = np.sin(sweep) * np.exp(-t * 3.2 / length)
    click = np.zeros_like(t)
    beater = _shaped_noise(rate, rng, 0.012, 1500, 6000)[: len(t)]
    click[: len(beater)] = beater * np.linspace(1, 0, len(beater)) ** 2
    return _finish(drum + 0.35 * click, rate, 0.0008, 0.05)


def snare(rate: int, rng: Generator, *, tone: float = 190.0, length: float = 0.22) -> Wave:
    """Snare drum: two modes of the head and the rattle of the wires."""
    t = _times(rate, length)
    head = np.sin(2 * np.pi * tone * t) + 0.6 * np.sin(2 * np.pi * 1.72 * tone * t)
    wires = _shaped_noise(rate, rng, length, 1200, 9000)[: len(t)]
    drum = 0.55 * head * np.exp(-t * 26) + wires * np.exp(-t * 4.2 / length)
    return _finish(drum, rate, 0.0008, 0.03)


def rim(rate: int, rng: Generator) -> Wave:
    """Cross-stick: a short wooden knock."""
    t = _times(rate, 0.08)
    knock = np.sin(2 * np.pi * 820 * t) + 0.7 * np.sin(2 * np.pi * 1730 * t)
    return _finish(
        knock * np.exp(-t * 75) + 0.3 * rng.standard_normal(len(t)) * np.exp(-t * 300),
        rate,
        0.0005,
        0.01,
    )


def clap(rate: int, rng: Generator) -> Wave:
    """Hand claps: four bursts of noise within 35 ms, the last one ringing out."""
    t = _times(rate, 0.24)
    noise = _shaped_noise(rate, rng, 0.24, 900, 3500)[: len(t)]
    envelope = np.exp(-np.maximum(t - 0.033, 0) * 22) * (t >= 0.033)
    for hand in (0.0, 0.011, 0.021):
        envelope += np.exp(-np.maximum(t - hand, 0) * 260) * (t >= hand) * 0.8
    return _finish(noise * envelope, rate, 0.0005, 0.03)


def cymbal(rate: int, rng: Generator, *, length: float, low: float = 6500.0) -> Wave:
    """Hi-hat or crash: inharmonic square waves and noise above `low` Hz."""
    t = _times(rate, length)
    metal = np.zeros_like(t)
    for ratio in (2.0, 3.0, 4.16, 5.43, 6.79, 8.21):
        metal += np.sign(np.sin(2 * np.pi * 540 * ratio * t + rng.uniform(0, 6.28)))
    metal = metal / 4 + rng.standard_normal(len(t))
    frequencies = np.fft.rfftfreq(len(t), 1 / rate) + 1e-9
    gain = 1 / np.sqrt(1 + (low / frequencies) ** 8) / np.sqrt(1 + (frequencies / 14_000) ** 4)
    hiss = np.fft.irfft(np.fft.rfft(metal) * gain, len(t))
    return _finish(hiss * np.exp(-t * 5.5 / length), rate, 0.0008, 0.01)


def tom(rate: int, rng: Generator, *, tone: float) -> Wave:
    """Tom-tom tuned to `tone` Hz."""
    t = _times(rate, 0.4)
    head = np.sin(2 * np.pi * (tone * t + tone * 0.012 * (1 - np.exp(-30 * t)))) * np.exp(-t * 9)
    stick = 0.15 * rng.standard_normal(len(t)) * np.exp(-t * 120)
    return _finish(head + stick, rate, 0.0008, 0.05)


# Strings, plucked and struck


def pluck(
    rate: int,
    rng: Generator,
    *,
    pitch: float,
    length: float,
    ring: float = 2.5,
    bright: float = 0.6,
    place: float = 0.18,
) -> Wave:
    """Plucked string by Karplus and Strong's feedback loop, computed one trip at a time.

    Parameters
    ----------
    ring : float
        Seconds in which the fundamental falls by 60 dB.
    bright : float
        From 0 (a thumb) to 1 (a plectrum).
    place : float
        Where the string is plucked, as a fraction of its length; its harmonics go missing there.
    """
    frequency = hertz(pitch)
    period = int(rate / frequency - 0.5)
    n = len(_times(rate, length)) + period + 2
    burst = np.fft.rfft(rng.uniform(-1, 1, period))
    harmonic = np.arange(len(burst))
    burst *= np.abs(np.sin(np.pi * place * harmonic))
    burst /= 1 + (harmonic * frequency / (700 + 5000 * bright)) ** 2
    string = np.zeros(period + 1 + n)
    string[1 : period + 1] = np.fft.irfft(burst, period)
    string[0] = string[period]
    damping = 0.5 * 10 ** (-3 / (frequency * ring))
    # One trip round the loop takes half a sample more than the delay line holds.
    for begin in range(period + 1, len(string), period):
        end = min(begin + period, len(string))
        string[begin:end] = damping * (
            string[begin - period : end - period] + string[begin - period - 1 : end - period - 1]
        )
    # The loop can only be tuned to whole samples; reading it at another speed tunes it exactly.
    speed = frequency * (period + 0.5) / rate
    t = np.arange(len(_times(rate, length)))
    note = np.interp(1 + t * speed, np.arange(len(string)), string)
    return _finish(note, rate, 0.0005, min(0.04, length / 4))


def piano(rate: int, rng: Generator, *, pitch: float, length: float, bright: float = 1.0) -> Wave:
    """Piano: stretched partials, each with its own decay, two strings slightly out of tune."""
    frequency = hertz(pitch)
    t = _times(rate, length)
    partials = []
    for partial in range(1, 15):
        tone = frequency * partial * np.sqrt(1 + 0.0004 * partial**2)
        if tone > 0.45 * rate:
            break
        level = np.abs(np.sin(np.pi * partial / 8.3)) / partial ** (2.1 - 0.5 * bright)
        decay = 0.9 + 0.0009 * tone + frequency / 700
        phase = np.exp(2j * np.pi * rng.uniform())
        partials.append((level, tone, decay, phase))
        partials.append((0.4 * level, 1.0008 * tone, decay, phase))
    note = _decaying_sines(rate, len(t), partials)
    hammer = rng.standard_normal(len(t)) * np.exp(-t * 180) * 0.02
    return _finish(note + hammer, rate, 0.002, min(0.12, length / 3))


# Bowed, blown and electronic tones


def strings(rate: int, rng: Generator, *, pitch: float, length: float, bright: float = 4.0) -> Wave:
    """Violins or cellos: five detuned sawtooth voices with a slow bow and vibrato."""
    frequency = hertz(pitch)
    t = _times(rate, length)
    table = _table(rate, frequency, frequency * bright + 500)
    note = np.zeros_like(t)
    turns = frequency * (t + _vibrato(t, 0.004, rng.uniform(4.8, 5.8)))
    for detune in (-7, -3, 0, 4, 8):
        note += _read(table, 2 ** (detune / 1200) * turns + rng.uniform())
    return _finish(note, rate, min(0.12, length / 3), min(0.2, length / 3))


def organ(rate: int, rng: Generator, *, pitch: float, length: float) -> Wave:
    """Drawbar organ through a slowly turning loudspeaker."""
    t = _times(rate, length)
    t = t + 0.0006 * np.sin(2 * np.pi * 6.1 * t) / 6.1
    frequency = hertz(pitch)
    note = sum(
        level * np.sin(2 * np.pi * frequency * ratio * t + rng.uniform(0, 6.28))
        for ratio, level in ((0.5, 0.5), (1, 1.0), (1.5, 0.35), (2, 0.6), (3, 0.25), (4, 0.3))
    )
    return _finish(np.asarray(note), rate, 0.006, 0.02)


def bass(
    rate: int, rng: Generator, *, pitch: float, length: float, bright: float = 6.0, decay: float = 1
) -> Wave:
    """Electric bass: a sawtooth whose brightness closes like a filter after the attack."""
    frequency = hertz(pitch)
    t = _times(rate, length)
    phase = frequency * t + rng.uniform(0, 0.1)
    dull = _read(_table(rate, frequency, 1.6 * frequency), phase)
    open_ = _read(_table(rate, frequency, bright * frequency), phase)
    return _finish(
        (dull + open_ * np.exp(-t * 9)) * np.exp(-t * decay), rate, 0.004, min(0.03, length / 3)
    )


def sub_bass(rate: int, rng: Generator, *, pitch: float, length: float, glide: float = 0) -> Wave:
    """Sine bass that slides into its pitch from `glide` semitones away."""
    t = _times(rate, length)
    bend = glide * np.exp(-t * 14)
    phase = np.cumsum(hertz(pitch) * 2 ** (bend / 12)) / rate
    tone = np.tanh(1.6 * np.sin(2 * np.pi * (phase + rng.uniform(0, 0.02))))
    return _finish(tone * np.exp(-t * 0.8), rate, 0.006, min(0.06, length / 3))


def reed(rate: int, rng: Generator, *, pitch: float, length: float, bend: float = 0.0) -> Wave:
    """Harmonica or melodica: an odd-harmonic reed with vibrato and a little breath."""
    frequency = hertz(pitch)
    t = _times(rate, length)
    slide = 2 ** (bend * np.exp(-t * 7) / 12)
    phase = np.cumsum(frequency * slide) / rate + frequency * _vibrato(t, 0.006)
    square = _read(_table(rate, frequency, 3200, odd=True), phase)
    saw = _read(_table(rate, frequency, 2600), phase)
    air = 0.03 * rng.standard_normal(len(t))
    return _finish(square + 0.6 * saw + air, rate, min(0.03, length / 3), min(0.06, length / 3))


def voice(
    rate: int,
    rng: Generator,
    *,
    pitch: float,
    length: float,
    vowels: str = "ao",
    bend: float = 0.0,
    growl: float = 0.0,
) -> Wave:
    """Voice with one syllable: a consonant and a diphthong.

    Parameters
    ----------
    vowels : str
        Two of `FORMANTS`.
    bend : float
        Semitones away from `pitch` at the start; speech falls and blues singers slide up.
    growl : float
        From 0 (clean) to 1 (a metal singer's false vocal folds).
    """
    t = _times(rate, length)
    frequency = hertz(pitch)
    slide = 2 ** (bend * np.exp(-t * 7) / 12) * (1 + 0.12 * growl * rng.standard_normal())
    turns = np.cumsum(frequency * slide) / rate + frequency * _vibrato(t, 0.004)
    source = _read(_table(rate, frequency, 2500), turns + 1)
    # Air from between the folds; a growl adds more of it and beats at half the pitch.
    source += (0.04 + 0.5 * growl) * rng.standard_normal(len(t))
    source *= 1 + growl * np.sin(np.pi * turns)
    spectrum = np.fft.rfft(source)
    frequencies = np.fft.rfftfreq(len(t), 1 / rate)
    note = np.zeros_like(t)
    for vowel, share in zip(vowels, (1 - t / length, t / length), strict=True):
        gain = np.zeros_like(frequencies)
        for formant, level in zip((*FORMANTS[vowel], 3500), (1.0, 0.6, 0.35, 0.2), strict=True):
            gain += level / (1 + ((frequencies - formant) / (60 + 0.03 * formant)) ** 2)
        note += share * np.fft.irfft(spectrum * gain, len(t))
    note /= np.abs(note).max()
    consonant = _shaped_noise(rate, rng, 0.05, 2500, 8000)[: len(t)]
    note[: len(consonant)] += 0.35 * consonant * np.hanning(len(consonant))
    return _finish(note, rate, 0.015, min(0.08, length / 3))


def electric_guitar(
    rate: int,
    rng: Generator,
    *,
    pitches: tuple[float, ...],
    length: float,
    muted: bool = False,
    bend: float = 0.0,
) -> Wave:
    """Electric guitar before its amplifier: strings together, open or muted by the palm.

    The distortion belongs to the amplifier, which hears every string at once: see
    `topgenre.demo.effects.amplify`.
    """
    t = _times(rate, length)
    note = np.zeros_like(t)
    slide = bend * np.exp(-t * 7)
    for pitch in pitches:
        frequency = hertz(pitch) * 2 ** (rng.normal(0, 5) / 1200)
        turns = np.cumsum(frequency * 2 ** (slide / 12)) / rate
        phase = turns + frequency * _vibrato(t, 0.004 if len(pitches) == 1 else 0.0) + rng.uniform()
        note += _read(_table(rate, frequency, 700 if muted else 2200), phase)
    note *= np.exp(-t * (16 if muted else 1.2))
    note += 0.8 * rng.standard_normal(len(t)) * np.exp(-t * 90)  # the plectrum
    return _finish(note, rate, 0.002, min(0.015, length / 3))
