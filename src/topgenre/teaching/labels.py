"""Clean genre tags: merge spellings, resolve ID3 numbers, drop other words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

# Genres of ID3v1 written as a number, such as "(17)" or "17".
_ID3_NUMBER = re.compile(r"\(?(\d{1,3})\)?$|\((\d{1,3})\)(.+)$")
_SEPARATORS = re.compile(r"[;,/|\0\n]+")
_NOT_GENRES = frozenset(
    (
        *("other", "unknown", "unknowngenre", "genre", "misc", "miscellaneous", "none", "various"),
        *("variousartists", "music", "undefined", "default", "nogenre", "notag", "untagged", "na"),
        *("unclassifiable", "general", "others", "unclassified", "tobedetermined", "tbd"),
    )
)


class Dropped(NamedTuple):
    """A name that is not taught, and why."""

    name: str
    n_songs: int
    reason: str


class Labels(NamedTuple):
    """Genres to teach.

    Attributes
    ----------
    genres : tuple of str
        In alphabetical order, in the most frequent spelling.
    of_songs : list of tuple of int
        Indices of the genres of each song; empty if the song is not an example.
    merged : mapping of str to tuple of str
        Other spellings by genre.
    dropped : tuple of Dropped
    """

    genres: tuple[str, ...]
    of_songs: list[tuple[int, ...]]
    merged: Mapping[str, tuple[str, ...]]
    dropped: tuple[Dropped, ...]


@lru_cache(maxsize=4096)  # a library has few genres, and many songs of each
def split_genres(text: str) -> tuple[str, ...]:
    """Split the text of a genre tag into names.

    Examples
    --------
    >>> split_genres("(17)Shoegaze; Dream Pop")
    ('Shoegaze', 'Dream Pop')
    >>> split_genres("(17)")
    ('Rock',)
    """
    names: list[str] = []
    for part in _SEPARATORS.split(text):
        name = " ".join(part.split())
        if found := _ID3_NUMBER.match(name):
            number, numbered, rest = found.groups()
            name = rest.strip() if rest else _id3_genre(int(number or numbered))
        if name and name not in names:
            names.append(name)
    return tuple(names)


@lru_cache(maxsize=4096)
def key_of(name: str) -> str:
    """Return the key that all spellings of a genre share: letters and digits, no case.

    Examples
    --------
    >>> key_of("Hip Hop") == key_of("hip-hop") == key_of("HipHop")
    True
    """
    folded = unicodedata.normalize("NFKC", name).casefold().replace("&", "n").replace("'n'", "n")
    return "".join(c for c in folded if c.isalnum() or unicodedata.category(c)[0] == "M") or folded


def clean_labels(
    tags: Sequence[Iterable[str]],
    *,
    min_songs: int = 3,
    names: Mapping[str, str] | None = None,
) -> Labels:
    """Turn the genre names of songs into genres to teach.

    Parameters
    ----------
    tags : sequence of iterable of str
        The names of each song.
    min_songs : int
        A genre with fewer songs is dropped.
    names : mapping of str to str, optional
        Other names for genres, whatever their spelling; an empty name drops the genre.
    """
    renamed = {key_of(old): new for old, new in (names or {}).items()}
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    removed: dict[str, Counter[str]] = defaultdict(Counter)
    keys_of_songs: list[set[str]] = []
    for song in tags:
        keys: set[str] = set()
        for name in song:
            key = key_of(name)
            if key in _NOT_GENRES and key not in renamed:
                removed["it does not name a genre"][name] += 1
                continue
            written = renamed.get(key, name)
            if not written:
                removed["the map drops it"][name] += 1
                continue
            keys.add(key_of(written))
            # A name from the map outweighs any number of other spellings.
            spellings[key_of(written)][written] += 1 if key not in renamed else 1_000_000
            if key in renamed and name != written:
                spellings[key_of(written)][name] += 1
        keys_of_songs.append(keys)
    n_songs = Counter(key for keys in keys_of_songs for key in keys)
    kept = {key: _commonest(spellings[key]) for key in n_songs if n_songs[key] >= min_songs}
    order = sorted(kept, key=lambda key: (kept[key].casefold(), kept[key]))
    index = {key: number for number, key in enumerate(order)}
    dropped = [
        Dropped(name, count, reason)
        for reason, names_of in removed.items()
        for name, count in names_of.items()
    ]
    few = f"fewer than {min_songs} songs"
    dropped += [
        Dropped(_commonest(spellings[key]), n_songs[key], few) for key in n_songs if key not in kept
    ]
    return Labels(
        genres=tuple(kept[key] for key in order),
        of_songs=[
            tuple(sorted(index[key] for key in keys & index.keys())) for keys in keys_of_songs
        ],
        merged={
            kept[key]: others
            for key in order
            if (others := tuple(sorted(set(spellings[key]) - {kept[key]})))
        },
        dropped=tuple(sorted(dropped, key=lambda entry: (-entry.n_songs, entry.name))),
    )


def _id3_genre(number: int) -> str:
    from mutagen.id3 import TCON

    return TCON.GENRES[number] if number < len(TCON.GENRES) else ""


def _commonest(names: Counter[str]) -> str:
    return min(names, key=lambda name: (-names[name], name))
