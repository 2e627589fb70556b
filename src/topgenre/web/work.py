"""Classify one upload in a worker process of the server.

Sound files may be hostile: decoders crash, run for ever or exhaust the memory. So they are decoded
in separate processes.
"""

from __future__ import annotations

import os
import wave
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from topgenre.errors import NotAudioError, TopgenreError
from topgenre.web.problems import ProblemError
from topgenre.workers.worker import Channel, Do, JobError, Spec

if TYPE_CHECKING:
    from topgenre.classifier import Classifier

Mode = Literal["middle", "whole"]
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """A job for a worker, which comes with a file.

    Attributes
    ----------
    name : str
        File name given by the client.
    mode : {"middle", "whole", "similar"}
        "similar" returns only the genres and the embedding, to find similar songs.
    spectrograms : bool
        Whether to return the spectrograms too.
    cover : bool
        Whether to return the cover picture too.
    identify : bool
        Whether to return the hash of the content, which identifies it in a catalogue.
    """

    name: str
    mode: Mode | Literal["similar"]
    spectrograms: bool = False
    cover: bool = False
    identify: bool = False


def spec(model: Path | None, genres: Path | None, memory_limit: int) -> Spec:
    """Return the specification of the server's workers."""
    return Spec(partial(_setup, model, genres), memory_limit)


def problem(name: str, error: TopgenreError | JobError, time_limit: float) -> ProblemError | None:
    """Return the problem of a failed job, or None for a bug in topgenre."""
    if isinstance(error, NotAudioError):
        return ProblemError("unsupported_media_type", str(error))
    if isinstance(error, TopgenreError):
        return ProblemError(error.code if error.code != "audio" else "damaged_audio", str(error))
    if error.why == "overrun":
        said = f"not done after {time_limit:g} s; send a shorter or simpler file"
        return ProblemError("overrun", f"{name}: {said}")
    if error.why == "memory":
        said = "it needs too much memory; send a shorter file"
        return ProblemError("overrun", f"{name}: {said}")
    if error.why == "crashed":
        said = "it crashed the process that decoded it; it may be damaged or malicious"
        return ProblemError("crashed", f"{name}: {said}")
    return None


def _setup(model: Path | None, genres: Path | None) -> Do:
    from topgenre.classifier import load

    classifier = load(model, genres=genres)
    _warm_up(classifier)

    def do(job: Job, channel: Channel) -> Answer:
        assert channel.file is not None
        with os.fdopen(channel.file, "rb", closefd=False) as file:
            return _classify(classifier, job, file, channel.progress)

    return do


def _warm_up(classifier: Classifier) -> None:
    """Run everything once, so that the first request is as fast as later ones."""
    sound = BytesIO()
    with wave.open(sound, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(44_100)
        noise = np.random.default_rng(0).integers(-9999, 9999, 2 * 11 * 44_100, np.int16)
        writer.writeframes(noise.tobytes())
    for _ in range(2):
        sound.seek(0)
        _classify(classifier, Job("sound.wav", "middle", spectrograms=True), sound)


def _classify(
    classifier: Classifier,
    job: Job,
    file: BinaryIO,
    progress: Callable[[float], object] = lambda fraction: None,
) -> Answer:
    from topgenre.classifier import analyse
    from topgenre.web.pictures import pictures
    from topgenre.web.song import song

    stack = None
    if job.mode == "whole":
        result = classifier.classify(file, whole=True, name=job.name, progress=progress)
        if job.spectrograms:
            stack = analyse(file, name=job.name)
    else:
        stack = analyse(file, name=job.name)
        result, embedding = classifier.classify_and_embed(stack)
        if job.mode == "similar":
            return {"genres": dict(result.genres), "embedding": embedding.astype("<f4").tobytes()}
    identity = None
    if job.identify:
        from topgenre.library.analysis import content_hash

        identity = content_hash(file).hex()
    return {
        "id": identity,
        "timeline": None,
        "sections": None,
        **result.to_dict(),
        "mode": job.mode,
        "song": song(file, with_cover=job.cover),
        "spectrograms": pictures(stack) if job.spectrograms and stack else None,
    }
