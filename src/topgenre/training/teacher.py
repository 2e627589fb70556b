"""The teacher: MSD_musicnn (Pons & Serra 2019), whose features the network learns to regress.

The public weights (PyPI package ``musicnn`` 0.1.0, ISC licence) were trained on 200 000 tagged
songs. `convert` reads them from their TensorFlow checkpoint once, which is all that TensorFlow is
needed for; `MusicnnTeacher` then computes in PyTorch what that package computes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from topgenre.errors import DatasetError
from topgenre.spectrograms import mel_edges

SAMPLE_RATE = 16_000  # Hz
N_FFT, HOP_LENGTH, N_MELS = 512, 256, 96
WINDOW_FRAMES = 187  # 3 s, the length that the teacher was trained on
N_WINDOWS = 5
WINDOW_STARTS = tuple(round(i * 109.25) for i in range(N_WINDOWS))  # frames; the network's windows
BLOCK_FRAMES = WINDOW_STARTS[-1] + WINDOW_FRAMES
RMS = 0.12  # of every block: the network cannot hear the volume, so its targets must not show it
N_FRONTEND, N_PENULTIMATE = 753, 200

COLUMN_WEIGHTS = np.repeat(
    np.array([2.0, 1.0, 0.7], np.float32), [N_PENULTIMATE, N_FRONTEND, N_FRONTEND]
)
"""Weights of the columns: penultimate features tell genres best, single maxima are noisy."""

Array = NDArray[np.float32]


def convert(checkpoint: Path, weights: Path) -> None:
    """Write a TensorFlow checkpoint of MSD_musicnn as a plain ``.npz``; needs TensorFlow.

    Parameters
    ----------
    checkpoint : Path
        Folder ``musicnn/MSD_musicnn`` of the installed package.
    weights : Path
        File to write.
    """
    from tensorflow.compat.v1.train import NewCheckpointReader

    reader = NewCheckpointReader(f"{checkpoint}/")
    names = [n for n in reader.get_variable_to_shape_map() if "Adam" not in n and "_power" not in n]
    np.savez(weights, **{name.replace("/", "."): reader.get_tensor(name) for name in names})


class MusicnnTeacher:
    """Features of MSD_musicnn for the five windows of a 10-s block.

    Parameters
    ----------
    weights : Path
        File that `convert` wrote.

    Raises
    ------
    DatasetError
        If the file cannot be read.
    """

    def __init__(self, weights: Path) -> None:
        try:
            with np.load(weights, allow_pickle=False) as archive:
                self._weights = {name: torch.from_numpy(archive[name]) for name in archive}
        except (OSError, ValueError) as error:
            raise DatasetError(f"{weights}: not a file of teacher weights ({error})") from error
        self._mel = torch.from_numpy(_mel_filter_bank())

    @torch.no_grad()
    def __call__(self, samples: Array) -> NDArray[np.float16]:
        """Return features (5, 1706) of mono samples at 22 050 Hz; short sounds are repeated.

        Columns: 200 penultimate units, means and log-compressed maxima of 753 local features.
        """
        pooled = self.local_features(self.spectrogram(samples))
        mean, largest = pooled.mean(2), pooled.amax(2)
        both = torch.stack([largest, mean], 2).flatten(1)
        hidden = functional.relu(
            self._norm(9, both, 1) @ self._weights["dense.kernel"] + self._weights["dense.bias"]
        )
        penultimate = self._norm(10, hidden, 1)
        compressed = largest.sign() * largest.abs().log1p()
        return torch.cat([penultimate, mean, compressed], 1).half().numpy()

    def spectrogram(self, samples: Array) -> Tensor:
        """Return the teacher's input (frames, 96): log mel power at 16 kHz, at a fixed loudness."""
        scaled = samples * (RMS / np.sqrt(np.mean(np.square(samples), dtype=np.float64)))
        resampled = soxr.resample(scaled.astype(np.float32), 22_050, SAMPLE_RATE)
        wanted = BLOCK_FRAMES * HOP_LENGTH
        if len(resampled) < wanted:
            resampled = np.resize(resampled, wanted)
        power = torch.stft(
            torch.from_numpy(resampled), N_FFT, HOP_LENGTH,
            window=torch.hann_window(N_FFT), center=True, pad_mode="constant", return_complex=True,
        ).abs().square()  # fmt: skip
        return torch.log10(10_000 * (self._mel @ power) + 1).T[:BLOCK_FRAMES]

    def local_features(self, spectrogram: Tensor) -> Tensor:
        """Map a spectrogram (frames, 96) to the features of its windows, (5, 753, 187).

        The two layers that cost nearly everything run in bfloat16, and timbre, which looks at
        seven frames, runs once over the block instead of once a window: together four times
        faster, and closer to the package than one window's features are to the next.
        """
        x = self._norm(0, spectrogram[None], 0)[0]
        timbre = torch.cat([self._timbre(i, x) for i in (0, 1)])
        windows = torch.stack([x[first : first + WINDOW_FRAMES] for first in WINDOW_STARTS])
        front = [
            torch.stack([timbre[:, first : first + WINDOW_FRAMES] for first in WINDOW_STARTS]),
            *(self._tempo(i, length, windows) for i, length in ((2, 128), (3, 64), (4, 32))),
        ]
        features = torch.cat(front, 1)
        first = self._mid(5, features)
        second = self._mid(6, first) + first
        third = self._mid(7, second) + second
        return torch.cat([features, first, second, third], 1)

    def _timbre(self, index: int, x: Tensor) -> Tensor:
        """Tall filters at every pitch, of which the strongest answer counts: (204, frames)."""
        kernel, sign = self._kernel(index)
        height = kernel.shape[1]
        # As 1-d convolutions over all vertical positions: far faster than one-channel 2-d ones.
        shifted = functional.pad(x, (0, 0, 3, 3)).bfloat16().unfold(1, height, 1).permute(1, 2, 0)
        answers = functional.conv1d(
            shifted.contiguous(), (kernel * sign).permute(2, 1, 0).contiguous()
        )
        return self._activate(index, answers.amax(0).T.float() * sign).T

    def _tempo(self, index: int, length: int, x: Tensor) -> Tensor:
        """Long filters over time in every mel band, of which the strongest answer counts."""
        kernel, sign = self._kernel(index)
        before = (length - 1) // 2
        padded = functional.pad(x.transpose(1, 2).bfloat16(), (before, length - 1 - before))
        answers = padded.contiguous().unfold(2, length, 1) @ (kernel[:, 0] * sign)
        return self._activate(index, answers.amax(1).float() * sign).transpose(1, 2)

    def _kernel(self, index: int) -> tuple[Tensor, Tensor]:
        """Return a layer's kernel (time, pitch, channels), and +1 or -1 for each channel.

        Where normalisation turns a channel upside down, its strongest answer is the lowest.
        """
        name = f"conv2d_{index}" if index else "conv2d"
        gamma = self._weights[f"batch_normalization_{index + 1}.gamma"]
        return self._weights[f"{name}.kernel"][:, :, 0].bfloat16(), torch.where(gamma < 0, -1, 1)

    def _activate(self, index: int, x: Tensor) -> Tensor:
        """Add the bias, clip and normalise; the channels are the last axis."""
        name = f"conv2d_{index}" if index else "conv2d"
        return self._norm(index + 1, functional.relu(x + self._weights[f"{name}.bias"]), x.ndim - 1)

    def _mid(self, index: int, x: Tensor) -> Tensor:
        kernel = self._weights[f"conv2d_{index}.kernel"][:, :, 0].permute(2, 1, 0)
        y = functional.conv1d(
            functional.pad(x, (3, 3)), kernel.contiguous(), self._weights[f"conv2d_{index}.bias"]
        )
        return self._norm(index + 1, functional.relu(y), 1)

    def _norm(self, index: int, x: Tensor, axis: int) -> Tensor:
        name = f"batch_normalization_{index}" if index else "batch_normalization"
        gamma, beta, mean, variance = (
            self._weights[f"{name}.{part}"]
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / torch.sqrt(variance + 1e-3)
        shape = [1] * x.ndim
        shape[axis] = -1
        return x * scale.view(shape) + (beta - mean * scale).view(shape)


def _mel_filter_bank() -> Array:
    """Return Slaney-style mel filters (96, 257) for 0 ... 8 kHz."""
    edges = mel_edges(N_MELS, SAMPLE_RATE / 2)
    bins = np.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    area = 2 / (edges[2:] - edges[:-2])
    bank: Array = (np.maximum(0, np.minimum(rising, falling)) * area[:, None]).astype(np.float32)
    return bank


if __name__ == "__main__":
    import sys

    if len(sys.argv) != 3:
        sys.exit("usage: python -m topgenre.training.teacher CHECKPOINT_DIR WEIGHTS.npz")
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
