"""The network: timbre and tempo filters over the four spectrogram channels.

Its shape follows its first teacher (Pons & Serra 2019, "musicnn"), so that it can learn that
teacher's features filter by filter; see `topgenre.training.teacher`. Input, size and weights are
its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from topgenre.spectrograms import CHANNELS

STEM_STRIDE = 2  # input frames and mel bands per step of the stem's feature map
FILTER_STRIDE = 2  # its steps, in time and pitch, between filter positions: a third of the cost
TIME_STRIDE = STEM_STRIDE * FILTER_STRIDE  # input frames per step of the features: 93 ms
WINDOW_STEPS = 32  # steps that are pooled together: 3 s, the length of a teacher's window
WINDOW_HOP = 18.82  # steps between windows: 1.75 s

# Rows of the map, of which 58 lie below 8 kHz: 0.4 and 0.7 of what the teacher hears.
TIMBRE_HEIGHTS = (23, 40)
TEMPO_LENGTHS = (45, 23, 11)  # steps of the stem: 2, 1 and 0.5 s


class MaxFilter(nn.Module):
    """A convolution, of which the maximum over the frequency axis is kept.

    A filter as tall as half the spectrum detects a timbre at any pitch; a long, flat one detects a
    rhythm in any band.
    """

    def __init__(self, n_in: int, n_out: int, size: tuple[int, int], stride: int) -> None:
        super().__init__()
        self.answer = nn.Conv2d(
            n_in, n_out, size, (stride, FILTER_STRIDE), (0, size[1] // 2), bias=False
        )
        self.norm = nn.BatchNorm1d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, f, t) to (batch, n_out, t / FILTER_STRIDE)."""
        activation = self.answer(x)
        # Normalised after the maximum and not before: a training step takes a fifth less.
        highest = functional.max_pool2d(activation, (activation.shape[2], 1))[:, :, 0]
        return functional.relu(self.norm(highest))


class MaxFilters(nn.ModuleList):
    """Filters of several sizes, side by side."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, f, t) to (batch, all n_out, t / FILTER_STRIDE)."""
        return torch.cat([filters(x) for filters in self], 1)


class Context(nn.Module):
    """A convolution along time over all local features."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(n_in, n_out, 3, padding=1, bias=False),
            nn.BatchNorm1d(n_out),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, t) to (batch, n_out, t)."""
        y: Tensor = self.layers(x)
        return y


class GenreNet(nn.Module):
    """Map four mel channels to genre logits, tags and an embedding.

    Parameters
    ----------
    n_genres : int
    n_tags : int
    n_teacher : int
        Teacher directions to regress during training; 0 without a teacher.
    n_timbre : int
        The first teacher's timbre filters to regress during training; 0 without them.
    widths : tuple of int
        Channels of the stem, filters of each height, of each length, and channels of the layers
        behind them.
    n_embedding : int
        Length of the embedding.
    channels : tuple of str
        Spectrograms that are used; the others are zeroed.
    """

    def __init__(
        self,
        n_genres: int,
        n_tags: int = 0,
        n_teacher: int = 0,
        n_timbre: int = 0,
        widths: tuple[int, int, int, int] = (8, 64, 32, 128),
        n_embedding: int = 256,
        channels: tuple[str, ...] = CHANNELS,
    ) -> None:
        super().__init__()
        self.blind = tuple(name not in channels for name in CHANNELS)
        stem, tall, long, wide = widths
        self.stem = nn.Sequential(
            nn.BatchNorm2d(len(CHANNELS)),
            nn.Conv2d(len(CHANNELS), 2 * stem, 5, STEM_STRIDE, 2, bias=False),
            nn.BatchNorm2d(2 * stem),
            nn.ReLU(),
            nn.Conv2d(2 * stem, stem, 3, 1, 1, bias=False),
            nn.BatchNorm2d(stem),
        )
        self.timbre: nn.Module = MaxFilters(
            MaxFilter(stem, tall, (h, 3), FILTER_STRIDE) for h in TIMBRE_HEIGHTS
        )
        self.tempo = MaxFilters(MaxFilter(stem, long, (1, n), 1) for n in TEMPO_LENGTHS)
        n_front = tall * len(TIMBRE_HEIGHTS) + long * len(TEMPO_LENGTHS)
        self.context = nn.ModuleList(Context(n, wide) for n in (n_front, wide, wide))
        n_local = n_front + wide * len(self.context)
        self.embed = nn.Sequential(
            nn.BatchNorm1d(2 * n_local),
            nn.Dropout(0.15),
            nn.Linear(2 * n_local, n_embedding, bias=False),
            nn.BatchNorm1d(n_embedding),
            nn.ReLU(),
        )
        self.genre = nn.Linear(n_embedding, n_genres)
        self.music = nn.Linear(n_embedding, 1)
        self.tags = nn.Linear(n_embedding, n_tags) if n_tags else None
        self.teacher = nn.Linear(n_embedding, n_teacher) if n_teacher else None
        self.filters = nn.Conv1d(tall * len(TIMBRE_HEIGHTS), n_timbre, 1) if n_timbre else None

    def local(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (batch, 4, 128, t) to timbre (batch, n, t / 4) and all features (.., t / 4)."""
        if any(self.blind):
            x = x.clone()
            x[:, list(self.blind)] = 0
        spectrum = self.stem(x)
        timbre = self.timbre(spectrum)
        bands = functional.avg_pool2d(spectrum, (2, 1))
        features = torch.cat([timbre, self.tempo(bands)], 1)
        found = [features]
        context = self.context[0](features)
        found.append(context)
        for layer in list(self.context)[1:]:
            context = context + layer(context)
            found.append(context)
        return timbre, torch.cat(found, 1)

    def pool(self, features: Tensor) -> Tensor:
        """Pool 3-s windows of local features (batch, m, steps) to (batch, n_windows, 2 m)."""
        n_windows = 1 + int((features.shape[2] - WINDOW_STEPS) / WINDOW_HOP + 0.5)
        pooled = []
        for i in range(n_windows):
            first = min(round(i * WINDOW_HOP), features.shape[2] - WINDOW_STEPS)
            window = features[:, :, first : first + WINDOW_STEPS]
            pooled.append(torch.cat([window.mean(2), window.amax(2)], 1))
        return torch.stack(pooled, 1)

    def embed_windows(self, pooled: Tensor) -> Tensor:
        """Map pooled windows (batch, n_windows, 2 m) to embeddings (batch, n_windows, e)."""
        embeddings: Tensor = self.embed(pooled.flatten(0, 1))
        return embeddings.view(*pooled.shape[:2], -1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of the model file, from the mean embedding of the windows.

        Parameters
        ----------
        x : Tensor, shape (batch, 4, 128, n_frames)
            `topgenre.spectrograms.network_input`, at least 128 frames.

        Returns
        -------
        tuple of Tensor
            Genre logits (batch, n_genres), the probability that the sound is music (batch,), the
            embedding (batch, n_embedding), and tag probabilities (batch, n_tags) if there are tags.
        """
        embedding = self.embed_windows(self.pool(self.local(x)[1])).mean(1)
        outputs = (self.genre(embedding), torch.sigmoid(self.music(embedding))[:, 0], embedding)
        if self.tags is None:
            return outputs
        return (*outputs, torch.sigmoid(self.tags(embedding)))
