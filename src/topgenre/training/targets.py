"""Regression targets: directions in the joint feature space of the teachers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from topgenre.training.head import regress
from topgenre.training.teacher import column_weights
from topgenre.training.yamnet import N_CLASSES, N_FEATURES

GENRE_L2 = 1.0  # of the linear classifier whose logits become targets
_YAMNET_WEIGHT = 0.8  # of its columns, so that both teachers have about the same variance
_TEACHERS = ("musicnn", "yamnet")
_CLIP = 10.0  # standard deviations: no single feature of a strange sound dominates a batch

Array = NDArray[np.float32]


def teacher_features(targets: Mapping[str, Tensor]) -> Tensor:
    """Concatenate the window features of all teachers, shape (..., n_features), as float32."""
    return torch.cat([targets[name].float() for name in _TEACHERS if name in targets], -1)


def feature_weights(targets: Mapping[str, Tensor]) -> Array:
    """Return the weight of each column of `teacher_features`."""
    weights = []
    if "musicnn" in targets:
        weights.append(column_weights(targets["musicnn"].shape[-1]))
    if "yamnet" in targets:
        weights.append(np.full(N_FEATURES + N_CLASSES, _YAMNET_WEIGHT, np.float32))
    return np.concatenate(weights)


@dataclass(frozen=True, slots=True)
class TargetSpace:
    """Directions in the space of the teachers' features, as regression targets.

    Columns are standardised and weighted first. The first directions are principal components,
    divided by the root of their standard deviation: halfway between plain regression, which sees
    only the loudest few, and whitening, which weighs noise like signal. The last ones, if there
    are labels, are the logits of a linear classifier of the genres.
    """

    mean: Array
    scale: Array
    components: Array
    offset: Array  # shape (n_directions,); zero but for the logits

    @classmethod
    def fit(cls, features: Array, weights: Array, n_components: int) -> TargetSpace:
        """Fit on features of shape (n, d), with weights of shape (d,) for their columns."""
        mean, scale = features.mean(0), weights / (features.std(0) + 1e-3)
        standardised = _standardise(features, mean, scale)
        covariance = torch.from_numpy(standardised.T @ standardised / len(features))
        # Randomised: a full decomposition of thousands of columns takes minutes on a busy machine.
        vectors, values, _ = torch.svd_lowrank(covariance, min(n_components + 16, len(mean)), 3)
        values = values[:n_components].clamp_min(1e-8)
        components = (vectors[:, :n_components] / values**0.25).numpy()
        return cls(mean, scale, components, np.zeros(n_components, np.float32))

    def with_genres(
        self,
        features: Array,
        labels: NDArray[np.int64],
        weights: NDArray[np.float64],
        n_genres: int,
        share: float,
    ) -> TargetSpace:
        """Add one direction per genre.

        Parameters
        ----------
        features : ndarray of float32, shape (n, d)
        labels : ndarray of int64, shape (n,)
        weights : ndarray of float64, shape (n,)
        n_genres : int
        share : float
            Variance of these directions, relative to the others'. Without labels they are zero.
        """
        if not len(labels):
            directions, bias = np.zeros((len(self.mean), n_genres), np.float32), np.zeros(n_genres)
        else:
            standardised = self.standardise(features)
            layer = nn.Linear(standardised.shape[1], n_genres)
            regress(layer, standardised, labels, weights, GENRE_L2)
            directions, bias = layer.weight.detach().numpy().T, layer.bias.detach().numpy()
            variance = (standardised @ directions).var(0).sum()
            wanted = share * (standardised @ self.components).var(0).sum()
            factor = np.float32(math.sqrt(wanted / max(variance, 1e-12)))
            directions, bias = factor * directions, factor * bias
        return replace(
            self,
            components=np.concatenate([self.components, directions], 1),
            offset=np.concatenate([self.offset, bias]).astype(np.float32),
        )

    def standardise(self, features: Array) -> Array:
        """Centre, scale and clip features of shape (..., d)."""
        return _standardise(features, self.mean, self.scale)

    def transform(self, features: Array) -> Array:
        """Project features of shape (..., d) to (..., n_directions)."""
        return np.asarray(self.standardise(features) @ self.components + self.offset)


def standardiser(values: NDArray[np.floating[Any]]) -> TargetSpace:
    """Return a space whose targets are the columns themselves, standardised."""
    flat = values.reshape(-1, values.shape[-1]).astype(np.float32)
    scale = 1 / (flat.std(0) + np.float32(1e-3))
    width = flat.shape[1]
    identity = np.eye(width, dtype=np.float32)
    return TargetSpace(flat.mean(0), scale, identity, np.zeros(width, np.float32))


def _standardise(features: Array, mean: Array, scale: Array) -> Array:
    return np.asarray(np.clip((features - mean) * scale, -_CLIP, _CLIP))
