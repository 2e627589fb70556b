"""The teacher: MSD_musicnn (Pons & Serra 2019), whose features the network learns to regress.

The public weights (PyPI package ``musicnn`` 0.1.0, ISC licence) were trained on 200 000 tagged
songs. `convert` reads them from their TensorFlow checkpoint once, which is all that TensorFlow is
needed for; `MusicnnTeacher` then computes in PyTorch what that package computes, but for the
filters that its own training has switched off.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from topgenre.audio import SAMPLE_RATE
from topgenre.errors import DatasetError
from topgenre.spectrograms import HOP_LENGTH as INPUT_HOP_LENGTH
from topgenre.training.sound import TEACHER_RATE, mel_bank

N_FFT, HOP_LENGTH, N_MELS = 512, 256, 96
WINDOW_FRAMES = 187  # 3 s, the length that the teacher was trained on
N_WINDOWS = 5
WINDOW_STARTS = tuple(round(i * 109.25) for i in range(N_WINDOWS))  # frames; the network's windows
BLOCK_FRAMES = WINDOW_STARTS[-1] + WINDOW_FRAMES

STEP_FRAMES = 8  # of the network's input, to one step of the teacher's timbre: 0.19 s
N_STEPS = 53  # whole ones in a block

TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock",
    "soul", "indie rock", "mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental",
    "punk", "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental",
    "female vocalist", "guitar", "hip-hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "progressive rock", "60s", "rnb", "indie pop",
    "sad", "house", "happy",
)  # fmt: skip

_LIVE = 0.03  # gain of a filter that counts; training has pushed most of them below a hundredth
_TEMPO_LENGTHS = (128, 64, 32)  # frames
_N_TIMBRE_FILTERS, _N_TEMPO_FILTERS, _N_MID, _N_PENULTIMATE = 204, 51, 64, 200

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


def column_weights(n_features: int) -> Array:
    """Return the weights of the columns of the target ``musicnn``.

    Penultimate features tell genres best, single maxima are noisy.
    """
    n_local = (n_features - _N_PENULTIMATE) // 2
    return np.repeat(np.array([2.0, 1.0, 0.7], np.float32), [_N_PENULTIMATE, n_local, n_local])


class _Filters(NamedTuple):
    """A layer's live filters: kernel (time, pitch, channels), and what follows it."""

    kernel: Tensor
    bias: Tensor
    scale: Tensor
    shift: Tensor

    def activate(self, answers: Tensor) -> Tensor:
        """Add the bias, clip and normalise; the channels are the last axis."""
        return functional.relu(answers + self.bias) * self.scale + self.shift


class MusicnnTeacher:
    """Features of MSD_musicnn for the five windows of 10-s blocks.

    Of its 561 filters some 80 have a gain to speak of. The others are constants to the layers
    behind them, and are taken as such: 99.4 to 99.97 % of the variance of the penultimate units
    remain, at a sixth of the cost.

    Parameters
    ----------
    weights : Path
        File that `convert` wrote.
    device : str

    Raises
    ------
    DatasetError
        If the file cannot be read.
    """

    name = "musicnn"

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        try:
            with np.load(weights, allow_pickle=False) as archive:
                stored = {name: torch.from_numpy(archive[name]) for name in archive}
        except (OSError, ValueError) as error:
            raise DatasetError(f"{weights}: not a file of teacher weights ({error})") from error
        self._weights = {name: values.to(device) for name, values in stored.items()}
        self._mel = mel_bank(N_MELS, N_FFT, TEACHER_RATE, torch.device(device))
        live = [self._weights[f"batch_normalization_{i + 1}.gamma"] > _LIVE for i in range(5)]
        self._filters = [self._live_filters(i, which) for i, which in enumerate(live)]
        n_front = 2 * _N_TIMBRE_FILTERS + 3 * _N_TEMPO_FILTERS
        front = torch.cat(live)
        self._front = torch.nonzero(front)[:, 0]
        others = torch.arange(n_front, n_front + 3 * _N_MID, device=device)
        self._live = torch.cat([self._front, others])
        # The next normalisation knows the mean of every channel: of maxima, and of means.
        typical = self._weights["batch_normalization_9.moving_mean"]
        self._typical = typical[0::2], typical[1::2]
        kernel = self._weights["conv2d_5.kernel"][:, :, 0]
        self._mid_kernel = kernel[:, self._front].permute(2, 1, 0).contiguous()
        constant = torch.where(front, 0.0, self._typical[1][:n_front])
        self._mid_constant = torch.einsum("tfc,f->ct", kernel, constant)[:, None]
        # The mean over the frames of each step, as a product.
        seconds = np.arange(N_STEPS + 1) * (STEP_FRAMES * INPUT_HOP_LENGTH / SAMPLE_RATE)
        edges = np.round(seconds * (TEACHER_RATE / HOP_LENGTH)).astype(int)
        means = np.zeros((N_STEPS, BLOCK_FRAMES), np.float32)
        for step, (first, end) in enumerate(itertools.pairwise(edges)):
            means[step, first:end] = 1 / (end - first)
        self._step_means = torch.from_numpy(means).to(device)

    @torch.no_grad()
    def __call__(self, sound: Tensor) -> dict[str, Tensor]:
        """Return features of sounds at 16 kHz.

        Parameters
        ----------
        sound : Tensor, shape (b, n)
            `topgenre.training.sound.for_teachers`, of 10 s.

        Returns
        -------
        dict of str to Tensor
            ``musicnn``, shape (b, 5, n_features): for each window of 3 s the 200 penultimate units,
            then means and log-compressed maxima of the local features. ``timbre``, shape
            (b, 53, n_filters): activations of the timbre filters in steps of eight input frames.
        """
        timbre, local = self.local_features(self.spectrogram(sound))
        largest, mean = local.amax(2), local.mean(2)
        pooled = []
        for live, typical in zip((largest, mean), self._typical, strict=True):
            every = typical.repeat(len(live), 1)
            every[:, self._live] = live
            pooled.append(every)
        hidden = functional.relu(
            self._norm(9, torch.stack(pooled, 2).flatten(1), 1) @ self._weights["dense.kernel"]
            + self._weights["dense.bias"]
        )
        penultimate = self._norm(10, hidden, 1)
        compressed = largest.sign() * largest.abs().log1p()
        windows = torch.cat([penultimate, mean, compressed], 1).view(len(sound), N_WINDOWS, -1)
        return {self.name: windows, "timbre": self._step_means @ timbre}

    def tag_logits(self, windows: NDArray[np.float16]) -> Array:
        """Return the logits of `TAGS`, what listeners wrote beside 200 000 songs.

        Parameters
        ----------
        windows : ndarray of float16, shape (n, 5, n_features)
            The target ``musicnn``.

        Returns
        -------
        ndarray of float32, shape (n, 50)
        """
        penultimate = windows[..., :_N_PENULTIMATE].astype(np.float32).mean(1)
        kernel, bias = (self._weights[f"dense_1.{part}"].cpu() for part in ("kernel", "bias"))
        return np.asarray(penultimate @ kernel.numpy() + bias.numpy())

    def spectrogram(self, sound: Tensor) -> Tensor:
        """Return the teacher's input (b, frames, 96): log mel power of sounds at 16 kHz."""
        power = torch.stft(
            sound, N_FFT, HOP_LENGTH, window=torch.hann_window(N_FFT, device=sound.device),
            center=True, pad_mode="constant", return_complex=True,
        ).abs().square()  # fmt: skip
        return torch.log10(10_000 * (self._mel @ power) + 1).transpose(1, 2)[:, :BLOCK_FRAMES]

    def local_features(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """Map spectrograms (b, frames, 96) to timbre (b, frames, n) and windows (5 b, m, 187).

        Timbre, which looks at seven frames, runs once over the block instead of once per window;
        it differs less from the package than one window's features do from the next.
        """
        x = self._norm(0, spectrogram[:, None], 1)[:, 0]
        timbre = torch.cat([self._timbre(self._filters[i], x) for i in (0, 1)], 2)
        windows = _windows(x)
        front = [
            _windows(timbre),
            *(
                self._tempo(self._filters[i], length, windows)
                for i, length in enumerate(_TEMPO_LENGTHS, 2)
            ),
        ]
        features = torch.cat(front, 2).transpose(1, 2)
        ones = functional.pad(torch.ones(1, 1, WINDOW_FRAMES, device=x.device), (3, 3))
        answers = functional.conv1d(functional.pad(features, (3, 3)), self._mid_kernel)
        answers += functional.conv1d(ones, self._mid_constant)
        answers += self._weights["conv2d_5.bias"][:, None]
        first = self._norm(6, functional.relu(answers), 1)
        second = self._mid(6, first) + first
        third = self._mid(7, second) + second
        return timbre, torch.cat([features, first, second, third], 1)

    def _live_filters(self, index: int, live: Tensor) -> _Filters:
        name = f"conv2d_{index}" if index else "conv2d"
        gamma, beta, mean, variance = self._norm_parts(index + 1)
        scale = gamma / torch.sqrt(variance + 1e-3)
        return _Filters(
            self._weights[f"{name}.kernel"][:, :, 0][:, :, live],
            self._weights[f"{name}.bias"][live],
            scale[live],
            (beta - mean * scale)[live],
        )

    @staticmethod
    def _timbre(filters: _Filters, x: Tensor) -> Tensor:
        """Take the maximum of tall filters over pitch: (b, frames, 96) to (b, frames, n)."""
        kernel = filters.kernel.permute(2, 1, 0)[:, None].contiguous()
        pitches = x.transpose(1, 2)[:, None]
        activations = functional.conv2d(pitches, kernel, padding=(0, kernel.shape[3] // 2))
        return filters.activate(activations.amax(2).transpose(1, 2))

    @staticmethod
    def _tempo(filters: _Filters, length: int, x: Tensor) -> Tensor:
        """Take the maximum of long filters over mel bands: (5 b, frames, 96) to (.., frames, n)."""
        n_windows, n_frames, n_bands = x.shape
        before = (length - 1) // 2
        bands = functional.pad(x.transpose(1, 2), (before, length - 1 - before))
        kernel = filters.kernel.permute(2, 1, 0).contiguous()
        activations = functional.conv1d(bands.reshape(n_windows * n_bands, 1, -1), kernel)
        highest = activations.view(n_windows, n_bands, -1, n_frames).amax(1)
        return filters.activate(highest.transpose(1, 2))

    def _mid(self, index: int, x: Tensor) -> Tensor:
        kernel = self._weights[f"conv2d_{index}.kernel"][:, :, 0].permute(2, 1, 0)
        y = functional.conv1d(
            functional.pad(x, (3, 3)), kernel.contiguous(), self._weights[f"conv2d_{index}.bias"]
        )
        return self._norm(index + 1, functional.relu(y), 1)

    def _norm(self, index: int, x: Tensor, axis: int) -> Tensor:
        gamma, beta, mean, variance = self._norm_parts(index)
        scale = gamma / torch.sqrt(variance + 1e-3)
        shape = [1] * x.ndim
        shape[axis] = -1
        return x * scale.view(shape) + (beta - mean * scale).view(shape)

    def _norm_parts(self, index: int) -> list[Tensor]:
        name = f"batch_normalization_{index}" if index else "batch_normalization"
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        return [self._weights[f"{name}.{part}"] for part in parts]


def _windows(x: Tensor) -> Tensor:
    """Cut (b, frames, n) into the five windows of each block: (5 b, 187, n)."""
    windows = [x[:, first : first + WINDOW_FRAMES] for first in WINDOW_STARTS]
    return torch.stack(windows, 1).flatten(0, 1)


if __name__ == "__main__":
    import sys

    if len(sys.argv) != 3:
        sys.exit("usage: python -m topgenre.training.teacher CHECKPOINT_DIR WEIGHTS.npz")
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
