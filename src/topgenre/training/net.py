"""The network: filters for timbre and for tempo over the four spectrogram channels.

Its shape is that of its teacher (Pons & Serra 2019, "musicnn"), so that it can learn to hear what
the teacher hears, filter by filter; see `topgenre.training.teacher`. Its input, its size and its
weights are its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from topgenre.spectrograms import CHANNELS

TIME_STRIDE = 2  # input frames to one step of the feature map: 46 ms
WINDOW_STEPS = 64  # steps that are pooled together: 3 s, what the teacher hears at once
WINDOW_HOP = 37.64  # steps between windows: 1.75 s

# Rows of the map, of which 58 lie below 8 kHz: 0.4 and 0.7 of what the teacher hears.
TIMBRE_HEIGHTS = (23, 40)
TEMPO_LENGTHS = (45, 23, 11)  # steps: 2, 1 and 0.5 s


class Highest(nn.Module):
    """A convolution whose strongest answer over all pitches counts, wherever it is.

    A filter as tall as half the spectrum hears a timbre at any pitch, and one that is long and flat
    a rhythm in any band.
    """

    def __init__(self, n_in: int, n_out: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.answer = nn.Conv2d(n_in, n_out, size, padding=(0, size[1] // 2), bias=False)
        self.norm = nn.BatchNorm1d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, f, t) to (batch, n_out, t)."""
        answer = self.answer(x)
        # Normalised after the maximum and not before: a step takes a fifth less.
        highest = functional.max_pool2d(answer, (answer.shape[2], 1))[:, :, 0]
        return functional.relu(self.norm(highest))


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
    """Four mel channels in; genre logits, an embedding and teacher features out, per 3-s window.

    Parameters
    ----------
    n_genres : int
        Genres to tell apart.
    n_teacher : int
        Directions of the teacher's features to regress during training; 0 for none.
    n_timbre : int
        The teacher's filters for timbre to regress during training; 0 for none.
    widths : tuple of int
        Channels of the stem, filters of each height, of each length, and channels of the layers
        behind them.
    n_embedding : int
        Length of the embedding.
    channels : tuple of str
        Spectrograms to look at; the others are zeroed.
    """

    def __init__(
        self,
        n_genres: int,
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
            nn.Conv2d(len(CHANNELS), 2 * stem, 5, TIME_STRIDE, 2, bias=False),
            nn.BatchNorm2d(2 * stem),
            nn.ReLU(),
            nn.Conv2d(2 * stem, stem, 3, 1, 1, bias=False),
            nn.BatchNorm2d(stem),
        )
        self.timbre = nn.ModuleList(Highest(stem, tall, (h, 3)) for h in TIMBRE_HEIGHTS)
        self.tempo = nn.ModuleList(Highest(stem, long, (1, n)) for n in TEMPO_LENGTHS)
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
        self.teacher = nn.Linear(n_embedding, n_teacher) if n_teacher else None
        self.filters = nn.Conv1d(tall * len(TIMBRE_HEIGHTS), n_timbre, 1) if n_timbre else None

    def local(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (batch, 4, 128, t) to timbre (batch, n, t / 2) and all features (batch, m, t / 2)."""
        if any(self.blind):
            x = x.clone()
            x[:, list(self.blind)] = 0
        spectrum = self.stem(x)
        timbre = torch.cat([layer(spectrum) for layer in self.timbre], 1)
        bands = functional.avg_pool2d(spectrum, (2, 1))
        features = torch.cat([timbre, *(layer(bands) for layer in self.tempo)], 1)
        found = [features]
        context = self.context[0](features)
        found.append(context)
        for layer in list(self.context)[1:]:
            context = context + layer(context)
            found.append(context)
        return timbre, torch.cat(found, 1)

    def windows(self, features: Tensor) -> Tensor:
        """Pool 3-s windows of local features (batch, m, steps) to (batch, n_windows, e)."""
        n_windows = 1 + int((features.shape[2] - WINDOW_STEPS) / WINDOW_HOP + 0.5)
        pooled = []
        for i in range(n_windows):
            first = min(round(i * WINDOW_HOP), features.shape[2] - WINDOW_STEPS)
            window = features[:, :, first : first + WINDOW_STEPS]
            pooled.append(torch.cat([window.mean(2), window.amax(2)], 1))
        stacked = torch.stack(pooled, 1)
        embeddings: Tensor = self.embed(stacked.flatten(0, 1))
        return embeddings.view(*stacked.shape[:2], -1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is said of a segment, from the mean embedding of its windows.

        Parameters
        ----------
        x : Tensor, shape (batch, 4, 128, n_frames)
            `topgenre.spectrograms.network_input`, at least 128 frames.

        Returns
        -------
        tuple of Tensor
            Logits of the genres (batch, n_genres), the probability that this is music at all
            (batch,), and the embedding (batch, n_embedding).
        """
        embedding = self.windows(self.local(x)[1]).mean(1)
        return self.genre(embedding), torch.sigmoid(self.music(embedding))[:, 0], embedding
