"""Time and memory of teaching 1,000, 10,000 and 100,000 songs that are made up, on one core."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
import subprocess
import sys
import time

import numpy as np

from topgenre.teaching.examples import TaggedSong, gather
from topgenre.teaching.teach import teach_examples

SIZES = (1_000, 10_000, 100_000)
N_EMBEDDING = 256
N_GENRES = 20
SONGS_OF_ARTIST = 10


def teach(n_songs: int, n_genres: int) -> str:
    """Teach made-up songs, and return a row of the table."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(n_genres, N_EMBEDDING)).astype(np.float32)
    genre = np.arange(n_songs) // SONGS_OF_ARTIST % n_genres
    noise = rng.standard_normal((n_songs, N_EMBEDDING), np.float32)
    songs = [
        TaggedSong(
            f"/{n}.mp3",
            (centres[genre[n]] + 4 * noise[n])[None],
            (f"genre {genre[n]}",),
            f"artist {n // SONGS_OF_ARTIST}",
        )
        for n in range(n_songs)
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, clock = time.process_time(), time.perf_counter()
    teach_examples(gather(songs), "00" * 32)
    seconds, wall = time.process_time() - began, time.perf_counter() - clock
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    added = (after - before) / 1024
    return f"| {n_songs:,} | {n_genres:,} | {seconds:.1f} | {wall:.1f} | {added:.0f} |"


def main() -> None:
    """Print the table; each size has a process of its own."""
    if len(sys.argv) == 3:
        print(teach(int(sys.argv[1]), int(sys.argv[2])))
        return
    print("| Songs | Genres | Processor time (s) | Wall time (s) | Added memory (MiB) |")
    print("|---|---|---|---|---|", flush=True)
    for n_songs, n_genres in (*((size, N_GENRES) for size in SIZES), (6_000, 2_000)):
        subprocess.run([sys.executable, __file__, str(n_songs), str(n_genres)], check=True)


if __name__ == "__main__":
    main()
