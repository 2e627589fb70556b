"""From sound to ranked genres: the network, its calibration, and the doubt it admits.

A model is one ONNX file. Its metadata hold everything that belongs to the weights: the genres, the
temperature that calibrates them, the thresholds of doubt, and the model card.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from topgenre import preprocessed
from topgenre.audio import SAMPLE_RATE, SEGMENT_SECONDS, SILENCE_PEAK, Segment, load_segment
from topgenre.checksum import intact
from topgenre.errors import ModelError, PreprocessedFileError
from topgenre.result import GenreProbability, Result, Window, rank
from topgenre.spectrograms import Spectrograms, compute, network_input

MODEL_FORMAT = 1
METADATA_KEY = "topgenre"
LONGEST_WHOLE = 1800.0  # seconds of a track that are analysed as a whole: 160 MB of samples

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model file says of itself.

    Attributes
    ----------
    name : str
        Name and version, as results quote it.
    genres : tuple of str
        In the order of the network's outputs.
    temperature : float
        Divisor of the logits that makes probabilities honest (Guo et al. 2017).
    uncertain_below : float
        Results whose best probability is lower are marked uncertain.
    n_frames : int
        Frames of input that the network takes.
    card : dict
        Data, splits and figures; see the model card in the documentation.
    """

    name: str
    genres: tuple[str, ...]
    temperature: float
    uncertain_below: float
    n_frames: int
    card: dict[str, Any]

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Read the metadata entry of a model file; raises ValueError, KeyError or TypeError."""
        data = json.loads(text)
        if data["format"] != MODEL_FORMAT:
            raise ValueError(f"format {data['format']}, not {MODEL_FORMAT}")
        return cls(
            name=str(data["name"]),
            genres=tuple(map(str, data["genres"])),
            temperature=float(data["temperature"]),
            uncertain_below=float(data["uncertain_below"]),
            n_frames=int(data["n_frames"]),
            card=dict(data["card"]),
        )

    def to_json(self) -> str:
        """Return the metadata entry for a model file."""
        return json.dumps(
            {
                "format": MODEL_FORMAT,
                "name": self.name,
                "genres": self.genres,
                "temperature": self.temperature,
                "uncertain_below": self.uncertain_below,
                "n_frames": self.n_frames,
                "card": self.card,
            }
        )


class Prediction(NamedTuple):
    """What the network says of n inputs.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n, n_genres)
        Calibrated; rows sum to 1.
    music : ndarray of float32, shape (n,)
        Probability that the sound is music at all.
    embedding : ndarray of float32, shape (n, n_embedding)
        Where the sound lies among others; near ones sound alike.
    """

    probabilities: Array
    music: Array
    embedding: Array


class Classifier:
    """A loaded model. It keeps no state between calls and may be shared by threads.

    Parameters
    ----------
    path : path-like
        Model file.
    threads : int
        Threads that one call may use.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or no topgenre model.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 1) -> None:
        onnxruntime = _runtime()
        if not Path(path).is_file():
            raise ModelError(f"{path}: no such model file; name one that `topgenre train` wrote")
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ModelError(
                f"{path}: cannot be read ({error.strerror}); check the file and its permissions"
            ) from error
        if not intact(content):
            raise ModelError(
                f"{path}: it is damaged, as its checksum says; get a fresh copy of the model"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.info = ModelInfo.from_json(metadata[METADATA_KEY])
        except Exception as error:  # ONNX Runtime's own exceptions share no base class
            raise ModelError(
                f"{path}: not a usable topgenre model ({_first_line(error)}); "
                "name one that `topgenre train` wrote"
            ) from error

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres that this model tells apart."""
        return self.info.genres

    def classify(
        self, source: str | os.PathLike[str] | BinaryIO, *, name: str | None = None
    ) -> Result:
        """Classify the middle 10 s of a music file, or a preprocessed ``.npz`` file.

        Parameters
        ----------
        source : path-like or binary file
        name : str, optional
            What results and errors call the source; by default its path.

        Returns
        -------
        Result

        Raises
        ------
        AudioError
            If no segment can be had from the source; the subclass says why.
        PreprocessedFileError
            If a ``.npz`` file is not one that topgenre wrote.
        """
        return self.classify_spectrograms(analyse(source, name=name))

    def classify_spectrograms(self, spectrograms: Spectrograms) -> Result:
        """Classify four spectrograms that are at hand already."""
        prediction = self.predict(network_input(spectrograms)[None])
        return self.judge(prediction, spectrograms, spectrograms.source)

    def classify_whole(
        self, source: str | os.PathLike[str] | BinaryIO, *, name: str | None = None
    ) -> Result:
        """Classify all of a music file: the mean over windows of 10 s, and the genres over time.

        Parameters
        ----------
        source : path-like or binary file
        name : str, optional
            What results and errors call the source; by default its path.

        Returns
        -------
        Result
            With its timeline. Silent windows are left out; of a track of more than half an hour
            the middle half-hour counts, and a notice says so.

        Raises
        ------
        AudioError
            If nothing can be had from the source; the subclass says why.
        PreprocessedFileError
            If the source is a preprocessed file, which holds no whole track.
        """
        label = _label(source, name)
        if _is_preprocessed(source):
            raise PreprocessedFileError(
                f"{label}: a preprocessed file holds 10 s, not a whole track; name the music file"
            )
        segment = load_segment(source, seconds=LONGEST_WHOLE, name=label)
        windows = list(_windows(segment))
        parts = [self._predict_segment(window) for window in windows]
        prediction = Prediction(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        timeline = tuple(
            Window(window.start, window.end, self._ranked(row))
            for window, row in zip(windows, prediction.probabilities, strict=True)
        )
        result = self.judge(prediction, segment, label)
        if segment.duration and segment.duration > LONGEST_WHOLE:
            longest = f"of this long track, the middle {LONGEST_WHOLE / 60:g} min were analysed"
            result = replace(result, notices=(*result.notices, longest))
        return replace(result, timeline=timeline)

    def _predict_segment(self, segment: Segment) -> Prediction:
        return self.predict(network_input(compute(segment))[None])

    def _ranked(self, probabilities: Array) -> tuple[GenreProbability, ...]:
        return rank(dict(zip(self.genres, map(float, probabilities), strict=True)))

    def judge(self, prediction: Prediction, analysed: Segment | Spectrograms, label: str) -> Result:
        """Average over the rows of a prediction, and say what they amount to."""
        ranked = self._ranked(prediction.probabilities.mean(axis=0))
        thin = ranked[0].probability < self.info.uncertain_below
        unlike_music = bool(prediction.music.mean() < 0.5)
        notices = analysed.notices
        if unlike_music:
            notices += ("this does not sound like music",)
        return Result(
            path=label,
            genres=ranked,
            uncertain=thin or unlike_music,
            start=analysed.start,
            end=analysed.end,
            model=self.info.name,
            notices=notices,
            duration=analysed.duration,
        )

    def predict(self, inputs: Array) -> Prediction:
        """Return what the network says of many inputs at once.

        Parameters
        ----------
        inputs : ndarray of float32, shape (n, 4, 128, n_frames)
            As `topgenre.spectrograms.network_input` makes them. Shorter ones than the network
            takes are repeated, longer ones cut to their middle.

        Returns
        -------
        Prediction
        """
        fitted = fit_frames(inputs, self.info.n_frames)
        logits, music, embedding = self._session.run(None, {"spectrograms": fitted})
        scaled = logits / self.info.temperature
        exponential = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return Prediction(exponential / exponential.sum(axis=1, keepdims=True), music, embedding)


def _runtime() -> Any:
    """Import ONNX Runtime without letting it report to its maker, as its wheels do from 1.29 on."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # for the case that it had been imported before
    return onnxruntime


def load(model: str | os.PathLike[str] | None = None, *, threads: int = 1) -> Classifier:
    """Load a model file, or the model that comes with the package.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or no topgenre model.
    """
    if model is not None:
        return Classifier(model, threads=threads)
    shipped = resources.files("topgenre") / "model" / "topgenre.onnx"
    with resources.as_file(shipped) as path:
        return Classifier(path, threads=threads)


def analyse(source: str | os.PathLike[str] | BinaryIO, *, name: str | None = None) -> Spectrograms:
    """Return the four spectrograms of a music file's middle 10 s, or of a preprocessed file."""
    if _is_preprocessed(source):
        return preprocessed.load(source)
    label = _label(source, name)
    return compute(load_segment(source, name=label), label)


def _is_preprocessed(
    source: str | os.PathLike[str] | BinaryIO,
) -> TypeGuard[str | os.PathLike[str]]:
    return not hasattr(source, "read") and Path(source).suffix.lower() == preprocessed.SUFFIX


def _label(source: str | os.PathLike[str] | BinaryIO, name: str | None) -> str:
    return name or (os.fspath(source) if not hasattr(source, "read") else "stream")


def _windows(segment: Segment) -> Iterator[Segment]:
    """Cut a sound into windows of 10 s, evenly, the last ending with it; skip silent ones."""
    length = min(round(SEGMENT_SECONDS * SAMPLE_RATE), len(segment.samples))
    n_windows = -(-len(segment.samples) // length)
    for first in np.linspace(0, len(segment.samples) - length, n_windows).astype(int):
        samples = segment.samples[first : first + length]
        if np.abs(samples).max() >= SILENCE_PEAK:
            start = segment.start + int(first) / SAMPLE_RATE
            yield Segment(samples, start, start + length / SAMPLE_RATE)


def fit_frames(inputs: Array, n_frames: int) -> Array:
    """Repeat or cut network inputs (n, 4, 128, t) to `n_frames` along time."""
    found = inputs.shape[3]
    if found < n_frames:
        return np.tile(inputs, -(-n_frames // found))[..., :n_frames]
    first = (found - n_frames) // 2
    return np.ascontiguousarray(inputs[..., first : first + n_frames])


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
