"""Tags beside the genres: styles, instruments, voices and moods, distilled from both teachers.

A teacher's score of a tag is the mean of its standardised logits. The tag layer regresses it from
the embedding. A tag is given where the teachers' score is very likely among the highest `TOP_SHARE`
of music; a style outside the ten genres has a threshold of its own, chosen by labels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from topgenre.model_info import TagInfo
from topgenre.training.net import GenreNet
from topgenre.training.teacher import TAGS as MUSICNN_TAGS
from topgenre.training.yamnet import N_FEATURES

TOP_SHARE = 0.1
THRESHOLD = 0.8  # of the probability that the teachers' score is among the highest
LEAST_THRESHOLD = 0.5  # of a style outside the genres, which labels confirm
_RIDGE = 3e-3  # of the mean square of an embedding's standardised columns

Array = NDArray[np.float32]


class TagSource(NamedTuple):
    """Where a tag comes from.

    Attributes
    ----------
    name : str
    musicnn : tuple of str
        Tags of MSD_musicnn.
    yamnet : tuple of int
        Numbers of YAMNet's classes.
    outside : bool
        Whether it is a style that GTZAN's ten genres lack.
    """

    name: str
    musicnn: tuple[str, ...] = ()
    yamnet: tuple[int, ...] = ()
    outside: bool = False


SOURCES = (
    TagSource("electronic", ("electronic", "electronica"), (234, 236, 239, 242), True),
    TagSource("house", ("house", "dance"), (235, 240), True),
    TagSource("drum and bass", (), (237, 238), True),
    TagSource("ambient", ("ambient",), (241,), True),
    TagSource("latin", (), (243, 244), True),
    TagSource("R&B", ("rnb",), (221,), True),
    TagSource("soul", ("soul",), (222,), True),
    TagSource("folk", ("folk",), (228,), True),
    TagSource("gospel", (), (253, 254), True),
    TagSource("funk", ("funk",), (227,)),
    TagSource("punk", ("punk",), (216,)),
    TagSource("indie", ("indie", "indie rock")),
    TagSource("hard rock", ("hard rock",)),
    TagSource("ska", (), (258,)),
    TagSource("bluegrass", (), (226,)),
    TagSource("swing", (), (225,)),
    TagSource("opera", (), (233,)),
    TagSource("synthesizer", (), (153,)),
    TagSource("drum machine", (), (158,)),
    TagSource("acoustic guitar", (), (138,)),
    TagSource("electric guitar", (), (136,)),
    TagSource("slide guitar", (), (139,)),
    TagSource("banjo", (), (142,)),
    TagSource("piano", (), (148,)),
    TagSource("electric piano", (), (149,)),
    TagSource("organ", (), (150, 152)),
    TagSource("harpsichord", (), (155,)),
    TagSource("strings", (), (184, 185, 186)),
    TagSource("orchestra", (), (179,)),
    TagSource("brass", (), (180, 182)),
    TagSource("saxophone", (), (192,)),
    TagSource("flute", (), (191,)),
    TagSource("harmonica", (), (203,)),
    TagSource("accordion", (), (204,)),
    TagSource("instrumental", ("instrumental",)),
    TagSource("female vocals", ("female vocalist", "female vocalists")),
    TagSource("male vocals", ("male vocalists",)),
    TagSource("rap", ("hip-hop",), (31,)),
    TagSource("choir", (), (25,)),
    TagSource("mellow", ("mellow", "chill", "chillout")),
    TagSource("happy", ("happy",), (271,)),
    TagSource("sad", ("sad",), (272,)),
    TagSource("tender", (), (273,)),
    TagSource("angry", (), (275,)),
    TagSource("scary", (), (276,)),
    TagSource("exciting", (), (274,)),
)


# Owners' labels that confirm a style outside the genres.
_DANCE = ("electronic", "techno", "house", "dubstep", "ambient", "trance")
STYLES: dict[str, tuple[str, ...]] = {
    "electronic": _DANCE,
    "house": _DANCE,
    "drum and bass": _DANCE,
    "latin": ("latin",),
    "R&B": ("r&b", "soul"),
    "soul": ("r&b", "soul"),
    "folk": ("folk", "acoustic"),
}


class TagScores(NamedTuple):
    """The teachers' scores of tags.

    Attributes
    ----------
    scores : ndarray of float32, shape (n, n_tags)
    limits : ndarray of float32, shape (n_tags,)
        From here on, a score is among the highest `TOP_SHARE`.
    """

    scores: Array
    limits: Array

    @property
    def top(self) -> NDArray[np.bool_]:
        """Whether a score is among the highest."""
        return self.scores >= self.limits


def teacher_scores(
    musicnn_logits: Array, yamnet: NDArray[np.float16], reference: NDArray[np.int64]
) -> TagScores:
    """Score the tags of `SOURCES`.

    Parameters
    ----------
    musicnn_logits : ndarray of float32, shape (n, 50)
    yamnet : ndarray of float16, shape (n, 5, 1545)
        Targets of `topgenre.training.yamnet.YamnetTeacher`.
    reference : ndarray of int64
        Rows that logits are standardised with, and that the highest ones are found among.
    """
    both = np.concatenate([musicnn_logits, yamnet[..., N_FEATURES:].astype(np.float32).mean(1)], 1)
    both = (both - both[reference].mean(0)) / both[reference].std(0)
    n_musicnn = musicnn_logits.shape[1]
    columns = [
        [MUSICNN_TAGS.index(tag) for tag in source.musicnn]
        + [n_musicnn + number for number in source.yamnet]
        for source in SOURCES
    ]
    scores = np.stack([both[:, found].mean(1) for found in columns], 1)
    limits = np.quantile(scores[reference], 1 - TOP_SHARE, axis=0)
    return TagScores(scores, limits.astype(np.float32))


def fit_tags(net: GenreNet, embeddings: Array, teacher: TagScores) -> None:
    """Fit the tag layer to the teachers' scores by ridge regression.

    Its outputs are probabilities that the teachers' score is among the highest, if the errors of
    the regression are normally distributed.

    Parameters
    ----------
    net : GenreNet
        Its layer ``tags`` is replaced.
    embeddings : ndarray of float32, shape (n, n_embedding)
    teacher : TagScores
    """
    mean, scale = embeddings.mean(0), embeddings.std(0) + 1e-3
    x = (embeddings - mean) / scale
    wanted = teacher.scores - teacher.scores.mean(0)
    gram = x.T @ x / len(x) + _RIDGE * np.eye(x.shape[1], dtype=np.float32)
    weight = np.linalg.solve(gram, x.T @ wanted / len(x))
    # The logistic curve is within 0.01 of the normal distribution at 1.702 standard deviations.
    gain = 1.702 / (np.std(wanted - x @ weight, axis=0) + 1e-3)
    slope = (gain * weight / scale[:, None]).astype(np.float32)
    offset = gain * (teacher.scores.mean(0) - teacher.limits) - mean @ slope
    net.tags = nn.Linear(*slope.shape)
    with torch.no_grad():
        net.tags.weight.copy_(torch.from_numpy(slope.T))
        net.tags.bias.copy_(torch.from_numpy(offset.astype(np.float32)))


def keep_tags(net: GenreNet, kept: list[int]) -> None:
    """Drop the tags that are not kept from the network."""
    assert net.tags is not None
    layer = nn.Linear(net.tags.in_features, len(kept))
    with torch.no_grad():
        layer.weight.copy_(net.tags.weight[kept])
        layer.bias.copy_(net.tags.bias[kept])
    net.tags = layer


def tag_infos(kept: list[int], thresholds: dict[str, float]) -> tuple[TagInfo, ...]:
    """Return the metadata of the kept tags."""
    return tuple(
        TagInfo(s.name, thresholds.get(s.name, THRESHOLD), s.outside)
        for s in (SOURCES[number] for number in kept)
    )
