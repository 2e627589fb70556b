"""Save and load preprocessed files: four spectrograms in one ``.npz``.

It is an uncompressed NumPy archive that any tool can read. It has the float32 arrays ``full``,
``harmonic``, ``percussive`` (1025, n_frames) and ``onset`` (4, n_frames), and ``metadata``, a JSON
text with the format version, the parameters and the segment. Files may come from anywhere, so
loading never unpickles, and checks the header of every array before it allocates memory.
"""

from __future__ import annotations

import io
import json
import math
import os
import stat
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from topgenre.audio import SAMPLE_RATE
from topgenre.errors import OutputError, PreprocessedFileError, SourceNotFoundError
from topgenre.files import write_whole
from topgenre.spectrograms import (
    CHANNELS,
    HOP_LENGTH,
    N_BINS,
    N_FFT,
    ONSET_CHANNELS,
    Spectrograms,
)
from topgenre.text import printable

SUFFIX = ".npz"
FORMAT_VERSION = 1

_MIN_FRAMES = 32
_MAX_FRAMES = 20_000  # 7 min 44 s, far more than any segment
_MAX_METADATA = 64 * 1024  # bytes
_PARAMETERS = {
    "sample_rate": SAMPLE_RATE,
    "n_fft": N_FFT,
    "hop_length": HOP_LENGTH,
    "hpss_kernel_size": 31,
    "onset_channels": list(ONSET_CHANNELS),
}


def save(spectrograms: Spectrograms, path: str | os.PathLike[str]) -> None:
    """Write a preprocessed file atomically.

    Raises
    ------
    OutputError
        If `path` does not end in ``.npz`` or cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != SUFFIX:
        raise OutputError(f"{target}: a preprocessed file's name must end in {SUFFIX}")
    metadata = {
        "format": FORMAT_VERSION,
        "parameters": _PARAMETERS,
        "source": spectrograms.source,
        "segment": {"start": spectrograms.start, "end": spectrograms.end},
        "notices": list(spectrograms.notices),
        "duration": spectrograms.duration,
    }
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        metadata=np.frombuffer(json.dumps(metadata).encode(), np.uint8),
        **{channel: getattr(spectrograms, channel) for channel in CHANNELS},
    )
    write_whole(target, buffer.getvalue(), _ours)


def _ours(head: bytes) -> bool:
    """Return whether a file begins like one of `save`."""
    return head.startswith(b"PK") and head[30:42] == b"metadata.npy"


def load(path: str | os.PathLike[str]) -> Spectrograms:
    """Read a preprocessed file.

    Raises
    ------
    PreprocessedFileError
        If the file is damaged, not one that topgenre wrote, or made with other parameters.
    SourceNotFoundError
        If the file does not exist or cannot be read.
    """
    label = printable(os.fspath(path))
    try:
        # Opening a pipe would block until another program writes to it.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise SourceNotFoundError(f"{label}: this is a folder, a device or a pipe; name a file")
        with zipfile.ZipFile(path) as archive:
            raw = _read_array(archive, "metadata", np.dtype(np.uint8), (None,), _MAX_METADATA)
            metadata = json.loads(raw.tobytes())
            if metadata["format"] != FORMAT_VERSION or metadata["parameters"] != _PARAMETERS:
                raise PreprocessedFileError(
                    f"{label}: made by another version of topgenre; make it again from the music"
                )
            segment = metadata["segment"]
            start, end = float(segment["start"]), float(segment["end"])
            source = str(metadata["source"])
            notices = tuple(map(str, metadata["notices"]))
            duration = metadata.get("duration")  # missing in files of versions before 0.2
            duration = None if duration is None else float(duration)
            float32 = np.dtype(np.float32)
            arrays = {
                channel: _read_array(
                    archive,
                    channel,
                    float32,
                    (len(ONSET_CHANNELS) - 1 if channel == "onset" else N_BINS, None),
                    _MAX_FRAMES,
                )
                for channel in CHANNELS
            }
    except (FileNotFoundError, PermissionError) as error:
        raise SourceNotFoundError(
            f"{label}: cannot be read ({error.strerror}); check the name and the permissions"
        ) from error
    except (PreprocessedFileError, SourceNotFoundError):
        raise
    # zipfile and the header parser may raise anything for hostile bytes.
    except Exception as error:
        reason = printable(" ".join(str(error).split()))
        raise PreprocessedFileError(
            f"{label}: damaged, or not a preprocessed file of topgenre ({reason}); "
            "make it again with `topgenre spectrograms`"
        ) from error
    n_frames = {array.shape[1] for array in arrays.values()}
    finite = all(np.isfinite(array).all() and array.min() >= 0 for array in arrays.values())
    timely = 0 <= start <= end < math.inf and (duration is None or 0 <= duration < math.inf)
    if len(n_frames) != 1 or min(n_frames) < _MIN_FRAMES or not finite or not timely:
        raise PreprocessedFileError(
            f"{label}: its spectrograms contradict each other; "
            "make it again with `topgenre spectrograms`"
        )
    return Spectrograms(
        **arrays, start=start, end=end, source=source, notices=notices, duration=duration
    )


def _read_array(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int | None, ...],
    longest: int,
) -> NDArray[Any]:
    """Read an array; None in `shape` means 1 to `longest`."""
    with archive.open(f"{name}.npy") as file:
        found_shape, fortran, found_dtype = _read_header(file)
        fits = len(found_shape) == len(shape) and all(
            1 <= found <= longest if wanted is None else found == wanted
            for found, wanted in zip(found_shape, shape, strict=True)
        )
        if not fits or fortran or found_dtype != dtype:
            raise ValueError(f"array {name} is {found_dtype} {found_shape}")
        n_bytes = int(np.prod(found_shape)) * dtype.itemsize
        data = file.read(n_bytes)
    if len(data) != n_bytes:
        raise ValueError(f"array {name} ends early")
    return np.frombuffer(data, dtype).reshape(found_shape)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"array format {version}")
    return np.lib.format.read_array_header_1_0(file)
