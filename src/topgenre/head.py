"""Classify embeddings by taught genres: a linear classifier in one file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topgenre.errors import TeachingError
from topgenre.files import write_whole
from topgenre.result import Borders, Result, rank
from topgenre.text import printable

SUFFIX = ".genres"
_START = b'{\n "format": "topgenre-genres 1",'
_MAX_BYTES = 64 << 20
_MOST_KEPT = 200  # most genres for a result to have all of them: there may be thousands
_N_KEPT = 10  # otherwise

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class GenreHead:
    """A linear classifier on embeddings, for taught genres.

    Attributes
    ----------
    name : str
    genres : tuple of str
    weights : ndarray of float32, shape (n_genres, n_embedding)
    offsets : ndarray of float32, shape (n_genres,)
    temperature : float
        Divisor of the logits that calibrates the probabilities; from cross-validation.
    uncertain_below : float
        Results whose top probability is lower are marked uncertain.
    network : str
        SHA-256 of the model file that the embeddings come from, in hexadecimal digits.
    borders : Borders
        Borders between the tiers of confidence.
    figures : dict
        Figures of the cross-validation, as JSON values.
    """

    name: str
    genres: tuple[str, ...]
    weights: Array
    offsets: Array
    temperature: float
    uncertain_below: float
    network: str
    borders: Borders = field(default_factory=Borders)
    figures: dict[str, Any] = field(default_factory=dict)

    def probabilities(self, embeddings: Array) -> Array:
        """Return the calibrated probabilities of embeddings.

        Parameters
        ----------
        embeddings : ndarray of float32, shape (n, n_embedding)

        Returns
        -------
        ndarray of float32, shape (n, n_genres)
            Rows sum to 1.
        """
        logits = (embeddings @ self.weights.T + self.offsets) / self.temperature
        exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponential / exponential.sum(axis=1, keepdims=True), np.float32)

    def result(self, probabilities: Array, path: str = "") -> Result:
        """Build the result of one song.

        Parameters
        ----------
        probabilities : ndarray of float32, shape (n_genres,)
            If there are more than 200, only the ten most probable are kept.
        path : str
        """
        n_kept = len(self.genres) if len(self.genres) <= _MOST_KEPT else _N_KEPT
        best = probabilities.argsort()[::-1][:n_kept]
        ranked = rank({self.genres[n]: float(probabilities[n]) for n in best})
        uncertain = ranked[0].probability < self.uncertain_below
        tier = self.borders.tier(ranked, uncertain)
        return Result(path, ranked, uncertain, 0.0, 0.0, self.name, tier=tier)

    def check_network(self, network: str, label: str) -> None:
        """Refuse embeddings of another network.

        Raises
        ------
        TeachingError
        """
        if network != self.network:
            raise TeachingError(
                f"{label}: these genres were taught to another model; "
                "teach them again with `topgenre teach`, which takes seconds"
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the head to a ``.genres`` file.

        Raises
        ------
        OutputError
            If the file cannot be written, or is another program's.
        """
        record = {
            "name": self.name,
            "genres": self.genres,
            "temperature": self.temperature,
            "uncertain_below": self.uncertain_below,
            "borders": self.borders._asdict(),
            "network": self.network,
            "figures": self.figures,
            "n_embedding": self.weights.shape[1],
            "weights": _encoded(self.weights),
            "offsets": _encoded(self.offsets),
        }
        body = json.dumps(record, indent=1).encode("ascii")
        digest = hashlib.sha256(body).hexdigest()
        content = _START + f'\n "sha256": "{digest}",'.encode() + body[1:] + b"\n"
        write_whole(Path(path), content, _START)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GenreHead:
        """Read a ``.genres`` file.

        Raises
        ------
        TeachingError
            If the file is missing, damaged, or not one that `topgenre teach` wrote.
        """
        label = printable(os.fspath(path))
        try:
            with Path(path).open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise TeachingError(
                f"{label}: cannot be read ({reason}); name a file that `topgenre teach` wrote"
            ) from error
        try:
            return _parsed(cls, content)
        except Exception as error:  # hostile JSON may raise anything
            raise TeachingError(
                f"{label}: damaged, or not a file of taught genres; "
                "name a file that `topgenre teach` wrote"
            ) from error


def _parsed(cls: type[GenreHead], content: bytes) -> GenreHead:
    if not content.startswith(_START) or len(content) > _MAX_BYTES:
        raise ValueError("another format")
    record = json.loads(content)
    _, _, body = content[len(_START) :].partition(b",")
    if hashlib.sha256(b"{" + body.removesuffix(b"\n")).hexdigest() != record["sha256"]:
        raise ValueError("the checksum differs")
    genres = tuple(map(str, record["genres"]))
    weights = _decoded(record["weights"]).reshape(len(genres), int(record["n_embedding"]))
    offsets = _decoded(record["offsets"]).reshape(len(genres))
    temperature = float(record["temperature"])
    if not (len(genres) > 1 and len(set(genres)) == len(genres) and temperature > 0):
        raise ValueError("genres or temperature make no sense")
    numbers = np.concatenate([weights.ravel(), offsets, [temperature]])
    if not np.isfinite(numbers).all():
        raise ValueError("weights that are not numbers")
    return cls(
        name=str(record["name"]),
        genres=genres,
        weights=weights,
        offsets=offsets,
        temperature=temperature,
        uncertain_below=float(record["uncertain_below"]),
        network=str(record["network"]),
        borders=Borders(**record["borders"]),
        figures=dict(record["figures"]),
    )


def _encoded(values: Array) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")


def _decoded(text: str) -> Array:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
