"""Synthesise six short, royalty-free songs to try topgenre on.

They are caricatures of musical styles, for users without music at hand. They say nothing about the
accuracy on real music. Songs are named after a genre if topgenre recognises it; the shuffle is a
blues that the model takes for jazz, as an example of an uncertain result.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from topgenre.demo import styles
from topgenre.demo.encode import encode, write_audio
from topgenre.errors import OutputError
from topgenre.files import write_whole

__all__ = ["STYLES", "synthesise", "write_audio", "write_demo"]

_SONGS: dict[str, tuple[Callable[[int, float, int], NDArray[np.float32]], str]] = {
    "shuffle in A": (styles.shuffle_in_a, ".mp3"),
    "classical arpeggios": (styles.classical_arpeggios, ".flac"),
    "disco": (styles.disco, ".m4a"),
    "hip-hop": (styles.hip_hop, ".ogg"),
    "metal": (styles.metal, ".wav"),
    "reggae": (styles.reggae, ".opus"),
}

STYLES: tuple[str, ...] = tuple(_SONGS)


def synthesise(
    style: str, *, seconds: float = 30.0, sample_rate: int = 44_100, seed: int = 0
) -> NDArray[np.float32]:
    """Synthesise one of the demo songs.

    Parameters
    ----------
    style : str
        One of `STYLES`.
    seconds : float
        Length of the song: intro, body and outro.
    sample_rate : int
        Samples per second, at least 8000.
    seed : int
        The same seed gives the same samples, another one other melodies.

    Returns
    -------
    numpy.ndarray
        Float32 samples, shape (2, n), left and right, with a peak of -1 dBFS.

    Raises
    ------
    ValueError
        If the style is unknown, or a number is out of range.
    """
    if style not in _SONGS:
        raise ValueError(f"no style {style!r}; there are {', '.join(STYLES)}")
    if sample_rate < 8000:
        raise ValueError(f"sample_rate must be at least 8000, not {sample_rate}")
    if not 0.1 <= seconds <= 600:
        raise ValueError(f"seconds must be from 0.1 to 600, not {seconds}")
    return _SONGS[style][0](sample_rate, seconds, seed)


def write_demo(folder: str | Path) -> list[Path]:
    """Write all demo songs into a folder, each in another format.

    A missing folder is created. An existing file is kept; if it is not the same song, nothing is
    written.

    Parameters
    ----------
    folder : str or Path
        Folder for the songs.

    Returns
    -------
    list of Path
        The songs, in the order of `STYLES`.

    Raises
    ------
    OutputError
        If the folder cannot be written, or another file of the same name exists.
    """
    folder = Path(folder)
    songs = {
        folder / f"{style.replace(' ', '-')}{suffix}": encode(synthesise(style), suffix)
        for style, (_, suffix) in _SONGS.items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        missing = {path: song for path, song in songs.items() if not path.exists()}
        other = [path for path in songs.keys() - missing.keys() if path.read_bytes() != songs[path]]
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot write the demo songs there ({error.strerror}); name another folder"
        ) from error
    if other:
        raise OutputError(
            f"{min(other)}: a file of this name that is not the demo song is in the way; "
            "name another folder"
        )
    for path, song in missing.items():
        write_whole(path, song, song)  # and so nothing but the very song is replaced
    return list(songs)
