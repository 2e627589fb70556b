"""Compute the network's input of many sounds at once, in PyTorch on any device.

The numbers are those of `topgenre.spectrograms`, to float32 accuracy.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from topgenre import hpss
from topgenre.audio import SAMPLE_RATE
from topgenre.spectrograms import (
    AMIN,
    HOP_LENGTH,
    LEVEL_FLOOR,
    LEVEL_UNIT_DB,
    N_FFT,
    N_MELS,
    ONSET_CHANNELS,
    ONSET_DELAY,
    ONSET_UNIT_DB,
    TOP_DB,
    mel_filters,
)

TEACHER_RATE = 16_000  # Hz, of both teachers
TEACHER_RMS = 0.12  # the network cannot hear the volume, so its targets must not show it

_PASSBAND = 0.913  # of the lower Nyquist frequency
_TINY = float(hpss.TINY)


def network_inputs(samples: Tensor) -> Tensor:
    """Map mono sounds (b, n) at 22 050 Hz to network inputs (b, 4, 128, 1 + n // 512)."""
    window = torch.hann_window(N_FFT, device=samples.device)
    full = torch.stft(
        samples, N_FFT, HOP_LENGTH, window=window, pad_mode="constant", return_complex=True
    )
    full = full.real.square() + full.imag.square()
    harmonic, percussive = running_median(full, 2) + _TINY, running_median(full, 1) + _TINY
    total = harmonic + percussive
    bank = mel_bank(N_MELS, N_FFT, SAMPLE_RATE, samples.device)
    mel = bank @ full
    levels = torch.stack(
        [mel, *(bank @ (full * (part / total).square()) for part in (harmonic, percussive))], 1
    )
    levels /= mel.mean((1, 2)).clamp_min(AMIN)[:, None, None, None]
    levels = levels.clamp_min(LEVEL_FLOOR).log10() * (10 / LEVEL_UNIT_DB)
    onset = _onset_strength(mel) / ONSET_UNIT_DB
    onset = onset.repeat_interleave(N_MELS // onset.shape[1], 1)
    return torch.cat([levels, onset[:, None]], 1)


def running_median(x: Tensor, axis: int) -> Tensor:
    """Take the running median of 31 points along an axis, as `topgenre.hpss.running_median`."""
    rows = x.movedim(axis, 0)
    n = len(rows)
    n_blocks = -(-n // hpss.BLOCK)
    padding = (hpss.BLOCK, (n_blocks + 1) * hpss.BLOCK - n)
    order = np.pad(np.arange(n), padding, mode="symmetric").reshape(-1, hpss.BLOCK).T
    planes = rows[torch.from_numpy(np.ascontiguousarray(order)).to(x.device)]
    runs = {1: planes[:, None]}
    for length in (1, 2, 4):
        runs[2 * length] = _merge(runs[length][0::2], runs[length][1::2])
    core = runs[hpss.BLOCK // 2][:, :, 1:-1]
    kept = _merge(core[:1], core[1:])
    for length in (8, 4, 2, 1):
        before = _middle_third(kept, runs[length][1::2, :, :-2])
        after = _middle_third(kept, runs[length][0::2, :, 2:])
        kept = _sort_bitonic(torch.stack([before, after], 1).flatten(0, 1))
    medians = kept[:, 0].transpose(0, 1).flatten(0, 1)[:n]
    return medians.movedim(0, axis)


def _sort_bitonic(runs: Tensor) -> Tensor:
    n_runs, n, *tail = runs.shape
    half = n // 2
    while half:
        pairs = runs.view(-1, 2, half, *tail)
        low, high = pairs[:, 0], pairs[:, 1]
        runs = torch.stack([torch.minimum(low, high), torch.maximum(low, high)], 1)
        half //= 2
    return runs.view(n_runs, n, *tail)


def _merge(left: Tensor, right: Tensor) -> Tensor:
    n_runs, n, *tail = left.shape
    falling = right.flip(1)
    halves = torch.stack([torch.minimum(left, falling), torch.maximum(left, falling)], 1)
    return _sort_bitonic(halves.view(2 * n_runs, n, *tail)).view(n_runs, 2 * n, *tail)


def _middle_third(kept: Tensor, added: Tensor) -> Tensor:
    n = added.shape[1]
    return torch.minimum(torch.maximum(kept[:, :n], added.flip(1)), kept[:, n:])


def _onset_strength(mel: Tensor) -> Tensor:
    """Map mel powers (b, 128, t) to the onset strength of the sub-bands (b, 4, t)."""
    decibels = 10 * mel.clamp_min(AMIN).log10()
    decibels = torch.maximum(decibels, decibels.amax((1, 2), keepdim=True) - TOP_DB)
    rise = decibels.diff(dim=2).clamp_min(0)
    n_bands = len(ONSET_CHANNELS) - 1
    bands = rise.view(len(mel), n_bands, N_MELS // n_bands, -1).mean(2)
    return functional.pad(bands, (ONSET_DELAY, 0))[:, :, : mel.shape[2]]


@cache
def mel_bank(n_mels: int, n_fft: int, sample_rate: int, device: torch.device) -> Tensor:
    """Return `topgenre.spectrograms.mel_filters` on a device."""
    return torch.from_numpy(mel_filters(n_mels, n_fft, sample_rate)).float().to(device)


def resample(samples: Tensor, length: int) -> Tensor:
    """Change the number of samples (b, n) to (b, length), which keeps the sound's duration.

    Their Fourier transform is cut or padded with zeros, so the sound is taken as periodic: a click
    between its end and its beginning leaks into a few milliseconds at either. Like other
    resamplers', the filter falls off below the lower Nyquist frequency.
    """
    n = samples.shape[1]
    if n == length:
        return samples
    spectrum = torch.fft.rfft(samples)[:, : length // 2 + 1]
    position = torch.arange(spectrum.shape[1], device=samples.device) / (min(n, length) / 2)
    falling = ((position - _PASSBAND) / (1 - _PASSBAND)).clamp(0, 1)
    spectrum = spectrum * (0.5 + 0.5 * torch.cos(math.pi * falling))
    resampled: Tensor = torch.fft.irfft(spectrum, length) * (length / n)
    return resampled


def for_teachers(samples: Tensor) -> Tensor:
    """Bring sounds (b, n) at 22 050 Hz to the teachers' sample rate and to one loudness."""
    rms = samples.square().mean(1, keepdim=True).sqrt().clamp_min(1e-9)
    length = math.ceil(samples.shape[1] * TEACHER_RATE / SAMPLE_RATE)
    return resample(samples * (TEACHER_RMS / rms), length)
