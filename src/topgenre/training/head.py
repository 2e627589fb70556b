"""The last layers: regularised regressions on the embeddings of the trained network.

The network's own last layer saw the training clips through every step and is far surer of them
than of anything else. A strongly regularised one on the same embeddings generalises better and
takes seconds, so that it can be fitted once for the figures and once more with the held-out clips
for the weights that ship.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from topgenre.training.config import TrainConfig
from topgenre.training.examples import Examples
from topgenre.training.net import GenreNet
from topgenre.training.pool import balanced_weights
from topgenre.training.tags import TagScores, fit_tags

MUSIC_BLOCKS = 3000  # of music without labels, about, that show what music is
# Half the squared weights on standardised embeddings, against the mean loss. The layer for music
# has many and varied examples, that for genres has few.
MUSIC_L2 = 0.1

Array = NDArray[np.float32]


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


class HeldOut(NamedTuple):
    """Outputs of a network for blocks of clips that it has not seen.

    Attributes
    ----------
    logits : ndarray of float32, shape (n, n_genres)
    tags : ndarray of float32, shape (n, n_tags)
    rows : ndarray of int64, shape (n,)
        Of the examples.
    """

    logits: NDArray[np.float32]
    tags: NDArray[np.float32]
    rows: NDArray[np.int64]


def fit_last_layers(
    net: GenreNet,
    examples: Examples,
    train: NDArray[np.bool_],
    config: TrainConfig,
    other_sounds: Sequence[NDArray[np.floating[Any]]],
    tag_scores: TagScores | None,
) -> None:
    """Fit the layers for genres, music and tags to some examples."""
    rows = np.flatnonzero(train & (examples.label >= 0))
    labelled = embed_rows(net, examples, rows)
    weights = balanced_weights(
        examples.clip[rows], examples.label[rows], examples.collection[rows],
        len(examples.genres), config.other_weight,
    )  # fmt: skip
    regress(net.genre, labelled, examples.label[rows], weights, config.genre_l2)
    # Without music beyond the data set, one independent recording in twenty would not count as
    # music.
    more = np.flatnonzero(train & (examples.label < 0))
    more = more[:: max(1, len(more) // MUSIC_BLOCKS)]
    unlabelled = embed_rows(net, examples, more)
    music = np.concatenate([labelled, unlabelled])
    if len(other_sounds):
        fit_music(net, music, embed(net, other_sounds))
    if tag_scores:
        chosen = np.concatenate([rows, more])
        fit_tags(net, music, tag_scores._replace(scores=tag_scores.scores[chosen]))


def predict(net: GenreNet, examples: Examples, rows: NDArray[np.int64]) -> HeldOut:
    """Return the network's outputs for some rows."""
    embeddings = torch.from_numpy(embed_rows(net, examples, rows))
    with torch.no_grad():
        logits = net.genre(embeddings).numpy()
        tags = torch.zeros(len(rows), 0) if net.tags is None else net.tags(embeddings).sigmoid()
    return HeldOut(logits, tags.numpy(), rows)


def embed_rows(net: GenreNet, examples: Examples, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the embeddings of some rows."""
    return embed(net, (examples.inputs[row] for row in rows))


@torch.no_grad()
def embed(net: GenreNet, inputs: Iterable[NDArray[np.floating[Any]]]) -> NDArray[np.float32]:
    """Return the embeddings of inputs of shape (4, 128, n_frames)."""
    net.eval()
    embeddings = [np.zeros((0, net.genre.in_features), np.float32)]
    for x in inputs:
        batch = torch.from_numpy(x[None].astype(np.float32))
        embeddings.append(net(batch.contiguous(memory_format=torch.channels_last))[2].numpy())
    return np.concatenate(embeddings)
