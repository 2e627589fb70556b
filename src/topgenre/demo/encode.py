"""Encode samples as an audio file with FFmpeg."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from topgenre.errors import OutputError
from topgenre.files import ANYTHING, write_whole


class _Format(NamedTuple):
    container: str
    codec: str
    highest_rate: int = 192_000  # of an encoder that does not list the rates it knows


_FORMATS = {
    ".wav": _Format("wav", "pcm_s16le"),
    ".flac": _Format("flac", "flac"),
    ".aiff": _Format("aiff", "pcm_s16be"),
    ".au": _Format("au", "pcm_s16be"),
    ".mp3": _Format("mp3", "libmp3lame"),
    ".ogg": _Format("ogg", "vorbis"),
    ".opus": _Format("ogg", "libopus"),
    ".m4a": _Format("ipod", "aac"),
    ".wma": _Format("asf", "wmav2", 48_000),
    ".webm": _Format("webm", "libopus"),
    ".mp4": _Format("mp4", "aac"),
}

_BIT_RATE = 128_000
_CHUNK = 1 << 16  # samples handed to the encoder at a time


def encode(
    samples: NDArray[np.float32],
    suffix: str,
    sample_rate: int = 44_100,
    *,
    bit_rate: int | None = None,
) -> bytes:
    """Return the bytes of an audio file.

    Parameters
    ----------
    samples : numpy.ndarray
        Samples between -1 and 1, shape (n,), (1, n) or (2, n). Larger values are clipped.
    suffix : str
        Suffix of the format, such as ``".mp3"``.
    sample_rate : int
        Of `samples`. An encoder that does not know it gets the next higher rate that it knows.
    bit_rate : int, optional
        Bits per second of a lossy format, by default 128 000; the others take no notice.

    Raises
    ------
    OutputError
        If no format has this suffix.
    ValueError
        If `samples` has another shape, is empty or holds values that are not finite.
    """
    # Here, because loading FFmpeg takes longer than everything else this module does at import.
    import av

    suffix = suffix.lower()
    if suffix not in _FORMATS:
        raise OutputError(
            f"audio cannot be written as {suffix or 'a file without a suffix'}; "
            f"use one of {', '.join(_FORMATS)}"
        )
    samples = np.atleast_2d(np.asarray(samples, dtype=np.float32))
    if samples.ndim != 2 or samples.shape[0] > 2 or samples.shape[1] == 0:
        raise ValueError(f"samples must have shape (n,), (1, n) or (2, n), not {samples.shape}")
    if not np.isfinite(samples).all():
        raise ValueError("samples must be finite")
    samples = np.clip(samples, -1.0, 1.0)
    container_name, codec_name, highest_rate = _FORMATS[suffix]
    codec = av.codec.Codec(codec_name, "w")
    rates = sorted(codec.audio_rates or [min(sample_rate, highest_rate)])
    rate = next((known for known in rates if known >= sample_rate), rates[-1])
    if codec_name == "vorbis" and len(samples) == 1:
        samples = np.repeat(samples, 2, axis=0)  # FFmpeg's own Vorbis encoder is stereo only
    layout = "mono" if len(samples) == 1 else "stereo"

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_name, options={"fflags": "+bitexact"}) as container:
        # FFmpeg files Vorbis under experiments; bitexact keeps dates and versions out of the file.
        stream = cast(
            "av.AudioStream",
            container.add_stream(
                codec_name, rate=rate, options={"strict": "experimental", "flags": "+bitexact"}
            ),
        )
        stream.layout = layout
        stream.bit_rate = bit_rate or _BIT_RATE
        for begin in range(0, samples.shape[1], _CHUNK):
            part = np.ascontiguousarray(samples[:, begin : begin + _CHUNK])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate = sample_rate
            frame.pts = begin
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def write_audio(
    path: str | Path,
    samples: NDArray[np.float32],
    sample_rate: int = 44_100,
    *,
    bit_rate: int | None = None,
) -> None:
    """Write samples as an audio file whose format follows from the suffix of its name.

    The file is written atomically. The suffixes are ``.wav``, ``.flac``, ``.aiff``,
    ``.au``, ``.mp3``, ``.ogg`` (Vorbis), ``.opus``, ``.m4a``, ``.wma``, ``.webm`` and ``.mp4``.

    Parameters
    ----------
    path : str or Path
        File to write; one that is there is replaced.
    samples, sample_rate, bit_rate
        See `encode`.

    Raises
    ------
    OutputError
        If no format has this suffix or the file cannot be written.
    ValueError
        If `samples` has another shape, is empty or holds values that are not finite.
    """
    path = Path(path)
    write_whole(path, encode(samples, path.suffix, sample_rate, bit_rate=bit_rate), ANYTHING)
