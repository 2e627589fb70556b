"""Labelled music: folders with a folder for each genre, or an ``index.csv``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from topgenre.errors import DatasetError
from topgenre.library.find import SUFFIXES

HELD_OUT = "held_out"  # in the card of a fold's model: the clips that it may be measured on
_HELD_OUT_SHARE = 5  # one clip in this many is held out where the data set has no splits
_REQUIRED_COLUMNS = {"path", "genre"}


@dataclass(frozen=True, slots=True)
class Clip:
    """A music file of a data set.

    Attributes
    ----------
    path : Path
    name : str
        Path within the data set, with forward slashes.
    genre : str
        Empty where the clip has no label.
    split : str
        ``train``, ``valid``, ``test``, or empty where the data set does not say.
    collection : str
        Whose music it is; clips of a collection stay together in any split. May be empty.
    style : str
        A style that the owner named, such as ``techno``. May be empty.
    """

    path: Path
    name: str
    genre: str
    split: str = ""
    collection: str = ""
    style: str = ""


def read_dataset(folder: Path, split_files: Sequence[Path] = ()) -> list[Clip]:
    """List the clips of a data set of GTZAN's layout.

    An ``index.csv`` takes precedence. It needs the columns path and genre; the columns split,
    collection and style are optional. Without one, each sub-folder is a genre.

    Parameters
    ----------
    folder : Path
    split_files : sequence of Path
        Text files with one clip's path per line, whose names begin with the split, such as the
        published ``train_filtered.txt``. Clips that are in none of them are left out.

    Returns
    -------
    list of Clip

    Raises
    ------
    DatasetError
        If no clip is found, or a listed file does not exist.
    """
    index = folder / "index.csv"
    if index.is_file():
        with index.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows or not rows[0].keys() >= _REQUIRED_COLUMNS:
            raise DatasetError(f"{index}: needs the columns path and genre")
        optional = ("split", "collection", "style")
        clips = [
            Clip(
                folder / row["path"],
                row["path"],
                row["genre"] or "",
                **{column: row.get(column) or "" for column in optional},
            )
            for row in rows
        ]
    elif folder.is_dir():
        clips = [
            Clip(path, path.relative_to(folder).as_posix(), path.parent.name)
            for path in sorted(folder.glob("*/*"))
            if path.suffix.lower() in SUFFIXES
        ]
    else:
        raise DatasetError(f"{folder}: not a folder; it needs a sub-folder of music for each genre")
    if split_files:
        split_of = {}
        for split_file in split_files:
            for line in split_file.read_text(encoding="utf-8").splitlines():
                if line.strip():
                    name = Path(line.strip()).with_suffix("").as_posix()
                    split_of[name] = split_file.stem.split("_")[0]
        clips = [
            replace(clip, split=split_of[stem])
            for clip in clips
            if (stem := Path(clip.name).with_suffix("").as_posix()) in split_of
        ]
    missing = [clip for clip in clips if not clip.path.is_file()]
    if missing:
        raise DatasetError(f"{missing[0].path}: listed in the data set, but the file is missing")
    if not clips:
        raise DatasetError(f"{folder}: no music found; make a sub-folder of music for each genre")
    return clips


def hold_out(clips: Sequence[Clip]) -> list[Clip]:
    """Put one clip in five of each genre into ``valid`` if no clip has a split.

    Runs of neighbouring names are held out, since songs of an album or an artist are neighbours.
    """
    if any(clip.split for clip in clips):
        return list(clips)
    split = []
    for genre in sorted({clip.genre for clip in clips}):
        members = sorted((c for c in clips if c.genre == genre), key=lambda c: c.name)
        kept = len(members) - max(1, len(members) // _HELD_OUT_SHARE)
        split += [
            replace(clip, split="train" if index < kept else "valid")
            for index, clip in enumerate(members)
        ]
    return split


def read_unlabelled(folder: Path) -> list[Clip]:
    """List every music file below a folder, without labels."""
    clips = [
        Clip(path, f"{folder.name}/{path.relative_to(folder).as_posix()}", "")
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]
    if not clips:
        raise DatasetError(f"{folder}: there is no music file in this folder; name another one")
    return clips
