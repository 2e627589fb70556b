"""Vary network inputs as recordings differ: timbre, noise floor and bandwidth."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from topgenre.training.config import TrainConfig

_FLOOR = -3.0  # lowest level of a network input: 60 dB below the mean power


def augment(x: Tensor, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """Change a batch of network inputs (b, 4, 128, t), each in its own way."""
    b, _, n_mels, _ = x.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=x.device)

    mel = torch.linspace(0, math.pi, n_mels, device=x.device)
    waves = torch.stack([torch.cos(k * mel) for k in range(4)])
    gain = (uniform(b, 4) - 0.5) * (config.eq_db / 20) @ waves
    x = x.clone()
    x[:, :3] += gain[:, None, :, None]

    corner = torch.where(uniform(b) < config.high_pass_chance, 4 + 24 * uniform(b), 1.0)
    band = torch.arange(1, n_mels + 1, device=x.device)
    octaves = torch.log2(corner[:, None] / band).clamp_min(0)
    attenuation = octaves * (0.3 + 0.9 * uniform(b))[:, None]  # 6 to 24 dB per octave
    x[:, :3] -= attenuation[:, None, :, None]
    # Sound that has lost its bass is softer, and the network's input is relative to its mean power.
    lost = torch.log10(torch.pow(100.0, x[:, 0]).mean((1, 2))) / 2
    x[:, :3] -= torch.where(corner > 1, lost, 0.0)[:, None, None, None]

    floor = torch.where(uniform(b) < config.floor_chance, -2.5 + 1.2 * uniform(b), _FLOOR)
    x[:, :3] = torch.maximum(x[:, :3], floor[:, None, None, None])

    top = torch.where(uniform(b) < config.band_limit_chance, 64 + 64 * uniform(b), float(n_mels))
    above = band > top[:, None]
    x[:, :3] = torch.where(above[:, None, :, None], _FLOOR, x[:, :3])
    return x
