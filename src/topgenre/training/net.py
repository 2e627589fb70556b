"""The network: one residual CNN over the four spectrogram channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from topgenre.spectrograms import CHANNELS, N_MELS

TIME_STRIDE = 16  # input frames to one step of the feature map
WINDOW_STEPS = 8  # steps that are pooled together: 3 s, what the teacher hears at once
WINDOW_HOP = 4.71  # steps between windows: 1.75 s


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with batch normalisation and a shortcut (He et al. 2016)."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.norm1: nn.Module = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.norm2: nn.Module = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True),
                nn.Conv2d(n_in, n_out, 1, bias=False),
                nn.BatchNorm2d(n_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, f, t) to (batch, n_out, f / stride, t / stride)."""
        y = functional.relu(self.norm1(self.conv1(x)), inplace=True)
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


class GenreNet(nn.Module):
    """Four mel channels in; genre logits, an embedding and teacher features out, per 3-s window.

    Parameters
    ----------
    n_genres : int
        Genres to tell apart.
    n_teacher : int
        Principal components of the teacher's features to regress during training; 0 for none.
    widths : tuple of int
        Channels of the stem and of the three stages.
    n_embedding : int
        Length of the embedding.
    channels : tuple of str
        Spectrograms to look at; the others are zeroed.
    """

    def __init__(
        self,
        n_genres: int,
        n_teacher: int = 0,
        widths: tuple[int, int, int, int] = (24, 48, 96, 160),
        n_embedding: int = 256,
        channels: tuple[str, ...] = CHANNELS,
    ) -> None:
        super().__init__()
        self.blind = tuple(name not in channels for name in CHANNELS)
        stem, *stages = widths
        layers: list[nn.Module] = [
            nn.BatchNorm2d(len(CHANNELS)),
            nn.Conv2d(len(CHANNELS), stem, 5, 2, 2, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
        ]
        n_in = stem
        for n_out in stages:
            layers += [ResidualBlock(n_in, n_out, stride=2), ResidualBlock(n_out, n_out)]
            n_in = n_out
        self.trunk = nn.Sequential(*layers)
        # One kernel as high as the map: a local feature knows at which pitch it lies.
        self.local = nn.Sequential(
            nn.Conv2d(n_in, n_embedding, (N_MELS // TIME_STRIDE, 1), bias=False),
            nn.BatchNorm2d(n_embedding),
            nn.ReLU(inplace=True),
        )
        self.embed = nn.Sequential(
            nn.Dropout(0.2),
            nn.Linear(2 * n_embedding, n_embedding, bias=False),
            nn.BatchNorm1d(n_embedding),
            nn.ReLU(inplace=True),
        )
        self.genre = nn.Linear(n_embedding, n_genres)
        self.music = nn.Linear(n_embedding, 1)
        self.teacher = nn.Linear(n_embedding, n_teacher) if n_teacher else None

    def windows(self, x: Tensor) -> Tensor:
        """Return the embeddings of 3-s windows: (batch, 4, 128, t) to (batch, n_windows, e)."""
        if any(self.blind):
            x = x.clone()
            x[:, list(self.blind)] = 0
        steps = self.local(self.trunk(x))[:, :, 0]
        n_windows = 1 + int((steps.shape[2] - WINDOW_STEPS) / WINDOW_HOP + 0.5)
        pooled = []
        for i in range(n_windows):
            first = min(round(i * WINDOW_HOP), steps.shape[2] - WINDOW_STEPS)
            window = steps[:, :, first : first + WINDOW_STEPS]
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
        embedding = self.windows(x).mean(1)
        return self.genre(embedding), torch.sigmoid(self.music(embedding))[:, 0], embedding
