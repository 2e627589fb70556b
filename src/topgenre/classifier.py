"""Classify sound: calibrate what the network says, and tell when it is not sure."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from topgenre import preprocessed
from topgenre.audio import (
    SAMPLE_RATE,
    SEGMENT_SECONDS,
    SILENCE_PEAK,
    Segment,
    load_segment,
    load_windows,
)
from topgenre.errors import PreprocessedFileError
from topgenre.head import GenreHead
from topgenre.model_info import ModelInfo
from topgenre.network import Network
from topgenre.result import (
    GenreProbability,
    Result,
    Section,
    Tag,
    Window,
    find_sections,
    rank,
)
from topgenre.spectrograms import Spectrograms, compute, network_input

Array = NDArray[np.float32]


class Prediction(NamedTuple):
    """What a model says of n inputs.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n, n_genres)
        Calibrated; rows sum to 1.
    music : ndarray of float32, shape (n,)
        Probability that the sound is music at all.
    embedding : ndarray of float32, shape (n, n_embedding)
        Similar sounds have nearby embeddings.
    tags : ndarray of float32, shape (n, n_tags)
        Probability of each tag.
    base : ndarray of float32, shape (n, n_base)
        Calibrated probabilities of the model's own genres, where a head of taught genres gives
        `probabilities`; otherwise the same array.
    """

    probabilities: Array
    music: Array
    embedding: Array
    tags: Array
    base: Array


class _Span(NamedTuple):
    """A part of a source, in seconds, as `topgenre.audio.Segment` describes it."""

    start: float
    end: float
    notices: tuple[str, ...] = ()
    duration: float | None = None


class Classifier:
    """A loaded model. It keeps no state between calls and may be shared by threads.

    Parameters
    ----------
    path : path-like
        Model file.
    threads : int
        How many windows of a whole track may be analysed at a time.
    genres : path-like or GenreHead, optional
        Genres that the user has taught, which take the place of the model's own.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or not a topgenre model.
    TeachingError
        If the taught genres cannot be read, or belong to another model.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        threads: int = 1,
        genres: str | os.PathLike[str] | GenreHead | None = None,
    ) -> None:
        self._network = Network(path)
        self.info: ModelInfo = self._network.info
        self._threads = threads
        self.head: GenreHead | None = None
        if genres is not None:
            self.head = genres if isinstance(genres, GenreHead) else GenreHead.load(genres)
            label = genres.name if isinstance(genres, GenreHead) else os.fspath(genres)
            self.head.check_network(self._network.sha256, label)

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres that results rank: taught ones, or the model's own."""
        return self.head.genres if self.head else self.info.genres

    @property
    def name(self) -> str:
        """The name that results quote."""
        return f"{self.info.name} + {self.head.name}" if self.head else self.info.name

    def classify(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        whole: bool = False,
        name: str | None = None,
        progress: Callable[[float], object] = lambda fraction: None,
    ) -> Result:
        """Classify a music file by its middle 10 s, or all of it.

        Parameters
        ----------
        source : path-like or binary file
            Music, or a preprocessed ``.npz`` file.
        whole : bool
            Classify the whole track: the mean over windows of 10 s, and the genres over time.
            Silent windows are left out; of a track of more than half an hour, windows from all of
            it are used, and a notice says so.
        name : str, optional
            Name of the source in results and errors; by default its path.
        progress : callable
            Called with the fraction of a whole track that is done.

        Returns
        -------
        Result

        Raises
        ------
        AudioError
            If the source cannot be decoded; the subclass says why.
        PreprocessedFileError
            If a ``.npz`` file is not one that topgenre wrote, or `whole` is asked of one.

        Examples
        --------
        >>> import topgenre
        >>> topgenre.load().classify("demo/jazz.flac").top(1)  # doctest: +SKIP
        (GenreProbability(genre='jazz', probability=0.97),)
        """
        if not whole:
            return self.classify_spectrograms(analyse(source, name=name))
        label = _label(source, name)
        if _is_preprocessed(source):
            raise PreprocessedFileError(
                f"{label}: a preprocessed file holds 10 s, not a whole track; name the music file"
            )
        parts: list[Prediction] = []
        windows: list[_Span] = []
        for window, prediction in self._predict_each(load_windows(source, name=label)):
            parts.append(prediction)
            windows.append(_Span(window.start, window.end, window.notices, window.duration))
            progress(window.end / (window.duration or window.end))
        whole_track = Prediction(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        analysed = windows[-1]._replace(start=windows[0].start)
        return self.build_result(whole_track, analysed, label, tuple(windows))

    def _predict_each(self, windows: Iterator[Segment]) -> Iterator[tuple[Segment, Prediction]]:
        """Predict windows in their order, several at a time, while the next ones are decoded."""

        def predict(window: Segment) -> Prediction:
            return self.predict(network_input(compute(window))[None])

        if self._threads < 2:
            yield from ((window, predict(window)) for window in windows)
            return
        from concurrent.futures import Future, ThreadPoolExecutor  # only where it is needed

        ahead: deque[tuple[Segment, Future[Prediction]]] = deque()
        with ThreadPoolExecutor(self._threads) as pool:
            for window in windows:
                ahead.append((window, pool.submit(predict, window)))
                if len(ahead) > self._threads:  # so that few windows are held in memory
                    done, future = ahead.popleft()
                    yield done, future.result()
            yield from ((done, future.result()) for done, future in ahead)

    def classify_spectrograms(self, spectrograms: Spectrograms) -> Result:
        """Classify four spectrograms."""
        return self.classify_and_embed(spectrograms)[0]

    def classify_and_embed(self, spectrograms: Spectrograms) -> tuple[Result, Array]:
        """Classify four spectrograms, and return the embedding that came with the answer.

        Returns
        -------
        Result
        ndarray of float32, shape (n_embedding,)
        """
        prediction = self.predict(network_input(spectrograms)[None])
        result = self.build_result(prediction, spectrograms, spectrograms.source)
        return result, prediction.embedding[0]

    def embed(self, source: str | os.PathLike[str] | BinaryIO, *, name: str | None = None) -> Array:
        """Return the embedding of a music file's middle 10 s.

        Similar music has embeddings of a high cosine similarity.

        Returns
        -------
        ndarray of float32, shape (n_embedding,)

        Raises
        ------
        AudioError, PreprocessedFileError
            As `classify` does.

        Examples
        --------
        >>> import topgenre
        >>> topgenre.load().embed("demo/jazz.flac").shape  # doctest: +SKIP
        (256,)
        """
        return self.classify_and_embed(analyse(source, name=name))[1]

    def embed_windows(
        self, source: str | os.PathLike[str] | BinaryIO, n_windows: int, *, name: str | None = None
    ) -> Array:
        """Return the embeddings of windows of 10 s around the middle of a music file.

        Returns
        -------
        ndarray of float32, shape (n, n_embedding)
            As many windows as the file has sound for, at most `n_windows`.

        Raises
        ------
        AudioError, PreprocessedFileError
            As `classify` does.
        """
        if _is_preprocessed(source):
            return self.embed(source, name=name)[None]
        segment = load_segment(
            source, seconds=n_windows * SEGMENT_SECONDS, name=_label(source, name)
        )
        inputs = [network_input(compute(window)) for window in _windows(segment)]
        return np.concatenate([self.predict(one[None]).embedding for one in inputs])

    def _ranked(self, probabilities: Array) -> tuple[GenreProbability, ...]:
        return _ranked(self.genres, probabilities)

    def build_result(
        self,
        prediction: Prediction,
        analysed: _Span | Segment | Spectrograms,
        label: str,
        windows: Sequence[_Span | Segment] = (),
    ) -> Result:
        """Average a prediction over its windows and build the Result.

        Parameters
        ----------
        prediction : Prediction
            Of `analysed`, or of its windows.
        analysed : Segment or Spectrograms
            The sound that the network heard.
        label : str
            Name of the source.
        windows : tuple of Segment
            The windows of a whole track, a row of the prediction each.
        """
        info = self.info
        calibrated = self.head or info
        mean, base = prediction.probabilities.mean(axis=0), prediction.base.mean(axis=0)
        if windows:
            # A mean over windows is less extreme than each of them: it has its own temperature.
            exponent = info.temperature / info.temperature_whole
            mean, base = _sharpened(mean, exponent), _sharpened(base, exponent)
        genres = self._ranked(mean)
        timeline = tuple(
            Window(window.start, window.end, self._ranked(row))
            for window, row in zip(windows, prediction.probabilities, strict=False)
        )
        tags = self._tags(prediction.tags.mean(axis=0))
        music = float(prediction.music.mean())
        uncertain = (
            genres[0].probability < calibrated.uncertain_below
            or music < 0.5
            or (self.head is None and any(tag.outside for tag in tags))
        )
        tier = calibrated.borders.tier(genres, uncertain)
        sections: tuple[Section, ...] = ()
        if tier != "sure" and music >= 0.5:
            sections = find_sections(timeline, calibrated.borders.probable_above)
        if sections:
            # The genres are clear; it is their mean that looks like doubt.
            uncertain, tier = False, "probable"
        return Result(
            path=label,
            genres=genres,
            uncertain=uncertain,
            start=analysed.start,
            end=analysed.end,
            model=self.name,
            notices=analysed.notices,
            duration=analysed.duration,
            timeline=timeline,
            tier=tier,
            tags=tags,
            sections=sections,
            music=music,
            base_genres=_ranked(info.genres, base) if self.head else (),
        )

    def _tags(self, probabilities: Array) -> tuple[Tag, ...]:
        found = [
            Tag(tag.name, float(probability), tag.outside)
            for tag, probability in zip(self.info.tags, probabilities, strict=True)
            if probability >= tag.threshold
        ]
        return tuple(sorted(found, key=lambda tag: -tag.probability))

    def predict(self, inputs: Array) -> Prediction:
        """Run the network on many inputs at once.

        This is the layer below `classify`, for programs that have network inputs already.

        Parameters
        ----------
        inputs : ndarray of float32, shape (n, 4, 128, n_frames)
            As `topgenre.spectrograms.network_input` makes them. Shorter ones than the network
            takes are repeated, longer ones cut to their middle.

        Returns
        -------
        Prediction
        """
        logits, music, embedding, tags = self._network.run(inputs)
        scaled = logits / self.info.temperature
        exponential = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        base = exponential / exponential.sum(axis=1, keepdims=True)
        probabilities = self.head.probabilities(embedding) if self.head else base
        return Prediction(probabilities, music, embedding, tags, base)


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    genres: str | os.PathLike[str] | GenreHead | None = None,
    threads: int = 1,
) -> Classifier:
    """Load a model file, or the bundled model.

    Parameters
    ----------
    model : path-like, optional
        By default the bundled model.
    genres : path-like or GenreHead, optional
        Genres that the user has taught, which take the place of the model's own.
    threads : int
        How many windows of a whole track may be analysed at a time.

    Returns
    -------
    Classifier

    Raises
    ------
    ModelError
        If the file is missing, damaged, or not a topgenre model.
    TeachingError
        If the taught genres cannot be read, or belong to another model.

    Examples
    --------
    >>> import topgenre
    >>> len(topgenre.load().genres)
    10
    """
    if model is not None:
        return Classifier(model, threads=threads, genres=genres)
    shipped = resources.files("topgenre") / "model" / "topgenre.onnx"
    with resources.as_file(shipped) as path:
        return Classifier(path, threads=threads, genres=genres)


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


def _ranked(genres: tuple[str, ...], probabilities: Array) -> tuple[GenreProbability, ...]:
    return rank(dict(zip(genres, map(float, probabilities), strict=True)))


def _sharpened(probabilities: Array, exponent: float) -> Array:
    """Raise probabilities to a power, as dividing their logits by a temperature does."""
    powers = np.power(probabilities, exponent)
    return np.asarray(powers / powers.sum())
