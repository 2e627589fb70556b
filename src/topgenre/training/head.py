"""The last layers: logistic regressions on the embeddings of the trained network.

The network's own last layer saw the training clips through every step and is far surer of them
than of anything else. A strongly regularised one on the same embeddings generalises better, and
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

TEACHER_SHARE = 2.0  # of the teacher's classifier: it knows music that the labels do not
# Half the squared weights on standardised embeddings, against the mean loss. What is music is told
# from many and varied examples; what its genre is, from few.
GENRE_L2, MUSIC_L2 = 0.3, 0.1


def fit_head(
    net: GenreNet,
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    clips: NDArray[np.str_],
) -> None:
    """Replace the last layer of a network.

    Parameters
    ----------
    net : GenreNet
        Its layer ``genre`` is overwritten.
    embeddings : ndarray of float32, shape (n, n_embedding)
        Of labelled blocks.
    labels : ndarray of int64, shape (n,)
    clips : ndarray of str, shape (n,)
        Clip of each block; clips count equally within a genre, and genres equally.
    """
    _, clip, blocks_of = np.unique(clips, return_inverse=True, return_counts=True)
    weight = 1 / blocks_of[clip]
    weight /= np.bincount(labels, weight, minlength=net.genre.out_features)[labels]
    regress(net.genre, embeddings, labels, weight / weight.sum(), GENRE_L2)


def add_teacher(net: GenreNet, embeddings: NDArray[np.float32]) -> None:
    """Let the teacher's classifier, as the network hears it, have a say in the last layer.

    The network regresses the directions along which a linear classifier on the teacher's features
    tells the genres apart. They are linear in the embedding as well, so both classifiers become
    one layer: the sum of their logits, a product of experts, with a spread of one to
    `TEACHER_SHARE`. The two err on different clips, as the teacher has heard far more music.

    Parameters
    ----------
    net : GenreNet
        Its layer ``genre`` holds a fitted classifier and is changed; the last rows of its layer
        ``teacher`` are the directions of the genres.
    embeddings : ndarray of float32, shape (n, n_embedding)
        Of labelled blocks.
    """
    assert net.teacher is not None
    n_genres = net.genre.out_features
    with torch.no_grad():
        weight, bias = net.teacher.weight[-n_genres:], net.teacher.bias[-n_genres:]
        sounds = torch.from_numpy(embeddings)
        heard = functional.linear(sounds, weight, bias)
        share = TEACHER_SHARE * net.genre(sounds).std() / heard.std().clamp_min(1e-6)
        net.genre.weight.add_(share * weight)
        net.genre.bias.add_(share * bias)


def fit_music(net: GenreNet, music: NDArray[np.float32], other: NDArray[np.float32]) -> None:
    """Fit the layer that tells music from sounds that are none.

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
    embeddings: NDArray[np.float32],
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
