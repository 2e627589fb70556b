"""How often similar music, as the embedding finds it, is of the same genre."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from topgenre.classifier import Classifier
from topgenre.errors import AudioError, DatasetError
from topgenre.evaluation.dataset import Clip
from topgenre.evaluation.metrics import Figure, interval_of_mean

N_NEIGHBOURS = 10
_SAME_ARTIST = 3  # clips with numbers this close may be of one artist, and are not counted


def measure(
    judges: Sequence[tuple[Classifier, Clip]],
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Figure:
    """Return the mean precision of the ten nearest clips, by cosine similarity.

    Clips are compared with clips of the same classifier. Neighbours of the same collection, or
    with a number close to the clip's own, may be of the same artist and do not count.

    Parameters
    ----------
    judges : sequence of (Classifier, Clip)
    progress : callable
        Called with the numbers of finished and of all clips.

    Raises
    ------
    DatasetError
        If there are too few clips.
    """
    embeddings, clips, owners = [], [], []
    for done, (classifier, clip) in enumerate(judges, 1):
        if clip.genre:
            try:
                embeddings.append(classifier.embed(clip.path))
            except AudioError:
                continue
            clips.append(clip)
            owners.append(id(classifier))
        progress(done, len(judges))
    found: list[float] = []
    for owner in sorted(set(owners)):
        mine = [index for index, other in enumerate(owners) if other == owner]
        vectors = np.stack([embeddings[index] for index in mine])
        found += precision(vectors, [clips[index] for index in mine]).tolist()
    if not found:
        raise DatasetError("too few clips to compare")
    return interval_of_mean(np.array(found))


def precision(vectors: NDArray[np.float32], clips: Sequence[Clip]) -> NDArray[np.float64]:
    """Return for each clip the share of its nearest neighbours that have its genre.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, d)
    clips : sequence of Clip

    Returns
    -------
    ndarray of float64, shape (n,)
        Without clips that have fewer than ten clips to be compared with.
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    similarity = unit @ unit.T
    found = []
    for row, clip in enumerate(clips):
        allowed = [i for i, other in enumerate(clips) if not _may_be_one_artist(clip, other)]
        if len(allowed) >= N_NEIGHBOURS:
            nearest = sorted(allowed, key=lambda i: -similarity[row, i])[:N_NEIGHBOURS]
            found.append(float(np.mean([clips[i].genre == clip.genre for i in nearest])))
    return np.array(found)


def _may_be_one_artist(one: Clip, other: Clip) -> bool:
    if one.name == other.name or (one.collection and one.collection == other.collection):
        return True
    if one.genre != other.genre or one.collection:
        return False
    numbers = [re.findall(r"\d+", clip.name)[-1:] for clip in (one, other)]
    if not all(numbers):
        return False
    return abs(int(numbers[0][0]) - int(numbers[1][0])) <= _SAME_ARTIST
