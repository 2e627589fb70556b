"""The last layers: regularised regressions on the embeddings of the trained network.

The network's own last layer saw the training clips through every step and is far surer of them
than of anything else. A strongly regularised one on the same embeddings generalises better and
takes seconds, so that it can be fitted once for the figures and once more with the held-out clips
for the weights that ship.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from topgenre.training.net import GenreNet

# Half the squared weights on standardised embeddings, against the mean loss. The layer for music
# has many and varied examples, that for genres has few.
MUSIC_L2 = 0.1

Array = NDArray[np.float32]


def add_teacher(net: GenreNet, embeddings: Array, share: float) -> None:
    """Add the teachers' genre classifier, as the network regresses it, to the last layer.

    The network regresses the logits of a linear classifier on the teachers' features. They are
    linear in the embedding as well, so both classifiers become one layer: the sum of their logits,
    a product of experts. The two err on different clips, as the teachers know far more music.

    Parameters
    ----------
    net : GenreNet
        Its layer ``genre`` holds a fitted classifier and is changed; the last rows of its layer
        ``teacher`` are the genres' directions.
    embeddings : ndarray of float32, shape (n, n_embedding)
        Of labelled blocks.
    share : float
        Spread of the teachers' logits, relative to that of the fitted ones.
    """
    assert net.teacher is not None
    n_genres = net.genre.out_features
    with torch.no_grad():
        weight, bias = net.teacher.weight[-n_genres:], net.teacher.bias[-n_genres:]
        sounds = torch.from_numpy(embeddings)
        taught = functional.linear(sounds, weight, bias)
        factor = share * net.genre(sounds).std() / taught.std().clamp_min(1e-6)
        net.genre.weight.add_(factor * weight).div_(1 + share)
        net.genre.bias.add_(factor * bias).div_(1 + share)


def fit_music(net: GenreNet, music: Array, other: Array) -> None:
    """Fit the layer that separates music from other sounds.

    Parameters
    ----------
    net : GenreNet
        Its layer ``music`` is overwritten.
    music, other : ndarray of float32, shapes (n, n_embedding) and (m, n_embedding)
        Embeddings of both kinds; the kinds count equally.
    """
    both = nn.Linear(music.shape[1], 2)
    labels = np.repeat([0, 1], [len(other), len(music)])
    weight = np.repeat([0.5 / len(other), 0.5 / len(music)], [len(other), len(music)])
    regress(both, np.concatenate([other, music]), labels, weight, MUSIC_L2)
    with torch.no_grad():
        net.music.weight.copy_(both.weight[1:] - both.weight[:1])
        net.music.bias.copy_(both.bias[1:] - both.bias[:1])


def regress(
    layer: nn.Linear,
    embeddings: Array,
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    l2: float,
) -> None:
    """Fit a layer to the least weighted cross-entropy plus `l2` times half its squared weights."""
    mean = torch.from_numpy(embeddings.mean(0))
    scale = torch.from_numpy(embeddings.std(0) + 1e-3)
    x = (torch.from_numpy(embeddings) - mean) / scale
    target = torch.from_numpy(labels)
    weight = torch.from_numpy(weights.astype(np.float32))
    slope = torch.zeros(layer.out_features, x.shape[1], requires_grad=True)
    offset = torch.zeros(layer.out_features, requires_grad=True)
    optimizer = torch.optim.LBFGS([slope, offset], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        each = functional.cross_entropy(x @ slope.T + offset, target, reduction="none")
        total = (weight * each).sum() + l2 / 2 * slope.square().sum()
        torch.autograd.backward(total)
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.weight.copy_(slope / scale)
        layer.bias.copy_(offset - (slope / scale) @ mean)
