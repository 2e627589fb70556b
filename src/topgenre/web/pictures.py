"""Encode the network's input as bytes for the page to draw."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from topgenre.audio import SAMPLE_RATE
from topgenre.spectrograms import (
    CHANNELS,
    HOP_LENGTH,
    N_MELS,
    ONSET_CHANNELS,
    Spectrograms,
    mel_edges,
    network_input,
)

_RANGE = 60.0  # dB below the mean, like the network's input


def pictures(stack: Spectrograms) -> dict[str, Any]:
    """Encode the network's input as bytes: mel power in dB, and onset strength.

    Returns
    -------
    dict
        The documented JSON object.
    """
    levels = network_input(stack)
    levels[:3] *= 20
    edges = mel_edges(N_MELS, SAMPLE_RATE / 2)
    loudest = float(levels[:3].max())
    channels = []
    for name, level in zip(CHANNELS, levels, strict=True):
        low, high, bands, unit = -_RANGE, loudest, edges[1:-1], "dB"
        if name == "onset":
            level = level[:: N_MELS // (len(ONSET_CHANNELS) - 1)] * 10
            low, high, bands, unit = (
                0.0,
                float(level.max()),
                edges[list(ONSET_CHANNELS)],
                "strength",
            )
        scaled = (level - low) * (255 / max(high - low, 1e-6))
        channels.append(
            {
                "name": name,
                "unit": unit,
                "bands_hz": [round(float(hz), 1) for hz in bands],
                "low": round(low, 2),
                "high": round(high, 2),
                "rows": len(level),
                "data": base64.b64encode(np.clip(scaled, 0, 255).astype(np.uint8)).decode(),
            }
        )
    return {
        "start": round(stack.start, 3),
        "hop_seconds": HOP_LENGTH / SAMPLE_RATE,
        "n_frames": levels.shape[2],
        "channels": channels,
    }
