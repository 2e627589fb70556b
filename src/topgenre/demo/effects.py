"""Apply effects to whole tracks: amplifier, echo, room, mastering."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Stereo = NDArray[np.float32]  # (2, n)


def _fft_length(n: int) -> int:
    """Return a fast FFT length of at least `n`: a power of two, or three times one."""
    power = 1 << max(4, (n - 1).bit_length())
    return power * 3 // 4 if power * 3 // 4 >= n else power


def amplify(track: Stereo, rate: int, drive: float) -> Stereo:
    """Distort a track like a valve amplifier with a guitar loudspeaker."""
    # The bias makes even harmonics.
    distorted = np.tanh(drive * track + 0.15) - np.float32(np.tanh(0.15))
    taps = 1024
    frequencies = np.fft.rfftfreq(taps, 1 / rate) + 1e-9
    gain = 1 / np.sqrt((1 + (85 / frequencies) ** 6) * (1 + (frequencies / 5000) ** 8))
    gain *= 1 + 1.5 * np.exp(-(((frequencies - 3000) / 1200) ** 2))
    loudspeaker = np.roll(np.fft.irfft(gain, taps), taps // 2) * np.hanning(taps)
    # Overlap and add: short transforms stay in the processor's cache.
    size = 8192
    step = size - taps
    n = track.shape[1]
    blocks = -(-n // step)
    padded = np.zeros((2, blocks * step), dtype=np.float32)
    padded[:, :n] = distorted
    spectrum = np.fft.rfft(padded.reshape(2, blocks, step), size)
    spectrum *= np.fft.rfft(loudspeaker, size).astype(np.complex64)
    played = np.fft.irfft(spectrum, size)
    out = np.zeros((2, blocks + 1, step), dtype=np.float32)
    out[:, :-1] = played[:, :, :step]
    out[:, 1:, :taps] += played[:, :, step:]
    return out.reshape(2, -1)[:, taps // 2 : taps // 2 + n]


def echo(track: Stereo, rate: int, delay: float, feedback: float, repeats: int = 4) -> Stereo:
    """Return the echoes of a track, each quieter and on the other side."""
    repeated = np.zeros_like(track)
    for count in range(1, repeats + 1):
        shift = round(count * delay * rate)
        if shift >= track.shape[1]:
            break
        source = track if count % 2 else track[::-1]
        left, right = (1.0, 0.45) if count % 2 else (0.45, 1.0)
        kept = source[:, : track.shape[1] - shift] * np.float32(feedback**count)
        repeated[0, shift:] += left * kept[0]
        repeated[1, shift:] += right * kept[1]
    return repeated


def reverberate(send: NDArray[np.float32], rate: int, seconds: float, seed: int) -> Stereo:
    """Return the reverberation of a mono send: noise that decays 60 dB in `seconds`.

    The decay is faster for high frequencies: two bands of noise are mixed with separate slopes.
    """
    n = len(send)
    rng = np.random.default_rng([seed, 0x0E0])
    t = np.arange(round(seconds * rate)) / rate
    noise = rng.standard_normal((2, len(t)), dtype=np.float32)
    smooth = (noise + np.roll(noise, 1, 1) + np.roll(noise, 2, 1) + np.roll(noise, 3, 1)) / 2
    slope = 6.9 / seconds
    room = 0.7 * smooth * np.exp(-slope * t) + 0.3 * noise * np.exp(-2.5 * slope * t)
    room *= 1 - np.exp(-t * 160)
    room -= room.mean(1, keepdims=True)
    room /= np.sqrt((room**2).sum(1, keepdims=True))
    size = _fft_length(n + len(t))
    wet = np.fft.irfft(np.fft.rfft(send, size) * np.fft.rfft(room.astype(np.float32), size), size)
    return wet[:, :n].astype(np.float32)


def brighten(mix: Stereo, rate: int, decibels: float) -> Stereo:
    """Boost frequencies above 2.5 kHz with a shelf."""
    n = mix.shape[1]
    size = _fft_length(n)
    octaves = (np.fft.rfftfreq(size, 1 / rate) / 2500) ** 2
    gain = np.sqrt((1 + octaves * 10 ** (decibels / 10)) / (1 + octaves))
    return np.fft.irfft(np.fft.rfft(mix, size) * gain, size)[:, :n].astype(np.float32)


def master(mix: Stereo, rate: int, headroom: float, peak: float = 10 ** (-1 / 20)) -> Stereo:
    """Limit softly, fade the ends, take out any offset and bring the peak to -1 dBFS."""
    level = float(np.sqrt(np.mean(mix**2))) or 1.0
    mix = np.tanh(mix / np.float32(headroom * level))
    mix -= mix.mean(1, keepdims=True)
    n = mix.shape[1]
    edge = np.arange(n, dtype=np.float32) / np.float32(rate)
    fade = np.minimum(1, edge / np.float32(0.01)) * np.minimum(
        1, edge[::-1] / np.float32(min(1.5, n / rate / 8))
    )
    mix *= fade
    loudest = float(np.abs(mix).max()) or 1.0
    return (mix * np.float32(peak / loudest)).astype(np.float32)
