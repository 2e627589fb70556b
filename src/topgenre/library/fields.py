"""Define the fields of a song once, for SQLite, CSV, Parquet and JSON.

A field has a name, a kind, and its source in a `Song`. A kind converts values to and from SQLite,
and for tables and JSON.
"""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple, get_args

import numpy as np

from topgenre.library.song import Analysis, Song, Tags, utc
from topgenre.result import GenreProbability, Result, Tag, Tier
from topgenre.text import json_safe

N_RANKED = 3  # genres with columns of their own


class Kind(NamedTuple):
    """Conversions of one kind of value.

    Attributes
    ----------
    sql : str
        Type of the column.
    plain : type
        Type of the values that SQLite returns.
    load : callable
        Converts a value from SQLite; raises ValueError for a wrong type.
    quick : callable, optional
        Converts many values at once that are all of the type `plain`.
    store : callable
        Converts a value of a `Song` for SQLite.
    arrow : callable, optional
        Takes the module pyarrow and returns the column's type; None leaves it out of tables.
    cell : callable
        Converts a value for tables.
    json : callable
        Converts a value for JSON.
    """

    sql: str
    plain: type
    load: Callable[[Any], Any]
    quick: Callable[[Sequence[Any]], Sequence[Any]] | None = None
    store: Callable[[Any], Any] = lambda value: value
    arrow: Callable[[Any], Any] | None = None
    cell: Callable[[Any], Any] = lambda value: value
    json: Callable[[Any], Any] = lambda value: value


class Field(NamedTuple):
    """One column.

    Attributes
    ----------
    name : str
    kind : Kind
    source : str or callable
        Dotted path to the attribute of a `Song`; or a function that derives a value, which is not
        read back.
    json : str
        Key in the JSON object, dotted if nested; empty if it is not in JSON.
    optional : bool
        Whether a classified song may lack the value.
    """

    name: str
    kind: Kind
    source: str | Callable[[Song], Any]
    json: str = ""
    optional: bool = False

    def of(self, song: Song) -> Any:
        """Return the value of a song, or None."""
        if callable(self.source):
            return None if song.analysis is None else self.source(song)
        if song.analysis is None and self.source.startswith("analysis."):
            return None
        return attrgetter(self.source)(song)

    def load(self, value: Any, *, optional: bool = False) -> Any:
        """Convert a value from SQLite; raises ValueError for a wrong one."""
        if value is not None:
            return self.kind.load(value)
        if not (optional or self.optional):
            raise ValueError(f"{self.name} is NULL")
        return None

    def load_all(self, values: Sequence[Any], *, optional: bool = False) -> Sequence[Any]:
        """Convert the values of many rows."""
        types = set(map(type, values))
        if self.kind.quick and types == {self.kind.plain}:
            return self.kind.quick(values)
        if (optional or self.optional) and types == {type(None)}:
            return values
        return [self.load(value, optional=optional) for value in values]


def _only(wanted: type) -> Callable[[Any], Any]:
    def load(value: Any) -> Any:
        if not isinstance(value, wanted):
            raise ValueError(f"{value!r:.40} is not of type {wanted.__name__}")
        return value

    return load


_text, _bytes, _list, _dict = map(_only, (str, bytes, list, dict))


def _load_path(value: Any) -> str:
    return os.fsdecode(_bytes(value))


def _paths(values: Sequence[bytes]) -> list[str]:
    return list(map(os.fsdecode, values))


def _same(values: Sequence[Any]) -> Sequence[Any]:
    return values


def _numbers(values: Sequence[float]) -> Sequence[float]:
    if not all(map(math.isfinite, values)):
        raise ValueError("a number that is not finite")
    return values


def _vectors(values: Sequence[bytes]) -> Sequence[Any]:
    vectors: Any = np.frombuffer(b"".join(values), "<f4").reshape(len(values), -1)
    if len(set(map(len, values))) > 1 or not vectors.size or not np.isfinite(vectors).all():
        raise ValueError("damaged embeddings")
    return list(vectors)


def _load_flag(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError(f"{value!r:.40} is neither 0 nor 1")
    return bool(value)


def _load_tier(value: Any) -> str:
    if value not in get_args(Tier):
        raise ValueError(f"{value!r:.40} is not a tier")
    return str(value)


def _load_number(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.40} is not a number")
    return float(value)


def _load_json(value: Any) -> Any:
    try:
        return json.loads(_text(value))
    except RecursionError as error:
        raise ValueError("JSON that is nested too deeply") from error


def _load_genres(value: Any) -> tuple[GenreProbability, ...]:
    shares = _dict(_load_json(value)).items()
    if not shares:
        raise ValueError("no genres")
    return tuple(GenreProbability(genre, _load_number(share)) for genre, share in shares)


def _load_tags(value: Any) -> tuple[Tag, ...]:
    found = [_dict(tag) for tag in _list(_load_json(value))]
    return tuple(
        Tag(_text(tag.get("name")), _load_number(tag.get("probability")), bool(tag["outside"]))
        for tag in found
    )


def _load_texts(value: Any) -> tuple[str, ...]:
    return tuple(map(_text, _list(_load_json(value))))


def _load_vector(value: Any) -> Any:
    vector = np.frombuffer(_bytes(value), "<f4")
    if not (len(vector) and np.isfinite(vector).all()):
        raise ValueError("not an embedding")
    return vector


def _rounded(seconds: float) -> float:
    return round(seconds, 3)


def _dicts(values: Sequence[Any]) -> list[dict[str, Any]]:
    return [value.to_dict() for value in values]


def _date(mtime_ns: int) -> str | None:
    """Format a modification time, or return None if it is out of range."""
    try:
        return utc(datetime.fromtimestamp(mtime_ns // 10**9, UTC))
    except (ValueError, OverflowError, OSError):
        return None


def _string(arrow: Any) -> Any:
    return arrow.string()


def _map(arrow: Any) -> Any:
    return arrow.map_(arrow.string(), arrow.float64())


PATH = Kind("BLOB", bytes, _load_path, _paths, os.fsencode, _string, json_safe)
TEXT = Kind("TEXT", str, _text, _same, arrow=_string)
TIER = Kind("TEXT", str, _load_tier, arrow=_string)
INTEGER = Kind("INTEGER", int, _only(int), _same, arrow=lambda arrow: arrow.int64())
TIME = INTEGER._replace(json=_date)
FLAG = Kind("INTEGER", int, _load_flag, None, int, lambda arrow: arrow.bool_())
NUMBER = Kind(
    "REAL", float, _load_number, _numbers, float, lambda arrow: arrow.float64(), json=_rounded
)
SHARE = NUMBER._replace(json=lambda share: round(share, 6))
DIGEST = Kind("BLOB", bytes, _bytes, _same, arrow=_string, cell=bytes.hex, json=bytes.hex)
GENRES = Kind(
    *("TEXT", str, _load_genres, None, lambda genres: json.dumps(dict(genres))),
    *(_map, list, _dicts),
)
TAGS = Kind(
    *("TEXT", str, _load_tags, None, lambda tags: json.dumps(_dicts(tags))),
    # Rounded as in SQLite, so that rows do not depend on the way they are made.
    *(_map, lambda tags: [tuple(tag.values())[:2] for tag in _dicts(tags)], _dicts),
)
TEXTS = Kind("TEXT", str, _load_texts, store=json.dumps, json=list)
VECTOR = Kind(
    *("BLOB", bytes, _load_vector, _vectors, lambda vector: vector.astype("<f4").tobytes()),
    *(lambda arrow: arrow.list_(arrow.float32()), np.ndarray.tolist),
)


def _ranked(rank: int, part: int) -> Callable[[Song], Any]:
    def value(song: Song) -> Any:
        assert song.analysis is not None
        genres = song.analysis.result.genres
        return genres[rank][part] if rank < len(genres) else None

    return value


def _verdict(song: Song) -> str:
    assert song.analysis is not None
    return song.analysis.result.verdict


FIELDS = (
    Field("path", PATH, "path", "path"),
    Field("size", INTEGER, "size", "size"),
    Field("mtime_ns", TIME, "mtime_ns", "modified_at"),
    Field("missing", FLAG, "missing", "missing"),
    Field("scanned_at", TEXT, "scanned_at", "scanned_at"),
    Field("duration", NUMBER, "analysis.result.duration", "duration", optional=True),
    *(
        Field(f"{name}_{rank + 1}", kind, _ranked(rank, part), optional=rank > 0)
        for rank in range(N_RANKED)
        for part, (name, kind) in enumerate((("genre", TEXT), ("probability", NUMBER)))
    ),
    Field("verdict", TEXT, _verdict, "verdict"),
    Field("tier", TIER, "analysis.result.tier", "tier", optional=True),
    Field("uncertain", FLAG, "analysis.result.uncertain", "uncertain"),
    Field("music", SHARE, "analysis.result.music", "music", optional=True),
    Field("tags", TAGS, "analysis.result.tags", "tags", optional=True),
    Field("segment_start", NUMBER, "analysis.result.start", "segment.start"),
    Field("segment_end", NUMBER, "analysis.result.end", "segment.end"),
    Field("artist", TEXT, "analysis.tags.artist", "artist", optional=True),
    Field("title", TEXT, "analysis.tags.title", "title", optional=True),
    Field("album", TEXT, "analysis.tags.album", "album", optional=True),
    Field("genre_tag", TEXT, "analysis.tags.genre", "genre_tag", optional=True),
    Field("model", TEXT, "analysis.result.model", "model"),
    Field("model_hash", DIGEST, "model_hash", "model_hash"),
    Field("hash", DIGEST, "analysis.hash", "hash"),
    Field("error_code", TEXT, "error_code", "error.type", optional=True),
    Field("error", TEXT, "error", "error.message", optional=True),
    Field("probabilities", GENRES, "analysis.result.genres", "genres"),
    Field("notices", TEXTS, "analysis.result.notices", "notices"),
    Field("embedding", VECTOR, "analysis.embedding"),
)
BY_NAME = {field.name: field for field in FIELDS}
STORED = tuple(field for field in FIELDS if isinstance(field.source, str))  # the rest is derived
TABLE = tuple(field for field in FIELDS if field.kind.arrow)

_FAILED = [field.name for field in STORED].index("error_code")
_GROUPS = [str(field.source).rpartition(".")[::2] for field in STORED]


def schema() -> str:
    """Return the column definitions for SQLite."""
    keys = {"path": " NOT NULL UNIQUE", "missing": " NOT NULL DEFAULT 0"}
    required = {"size", "mtime_ns", "scanned_at", "model_hash"}
    return ", ".join(
        f"{f.name} {f.kind.sql}" + keys.get(f.name, " NOT NULL" if f.name in required else "")
        for f in FIELDS
    )


def row_of(song: Song) -> list[Any]:
    """Return the values of `FIELDS` for SQLite."""
    values = [(field.kind, field.of(song)) for field in FIELDS]
    return [None if value is None else kind.store(value) for kind, value in values]


def song_of(row: Sequence[Any]) -> Song:
    """Build a song from a row of `STORED`; raises ValueError or TypeError."""
    failed = row[_FAILED] is not None
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for field, (group, name), value in zip(STORED, _GROUPS, row, strict=True):
        # Otherwise the attribute keeps its default.
        if value is not None or not (field.optional or (failed and group)):
            found[group][name] = field.load(value)
    analysis = None
    if not failed:
        result = Result(path=found[""]["path"], **found["analysis.result"])
        tags = Tags(**found["analysis.tags"])
        analysis = Analysis(result=result, tags=tags, **found["analysis"])
    return Song(analysis=analysis, **found[""])


def json_of(song: Song) -> dict[str, Any]:
    """Return the documented JSON object."""
    record: dict[str, Any] = {}
    for field in FIELDS:
        if not field.json:
            continue
        value = field.of(song)
        empty: list[str] | None = [] if field.kind is TEXTS else None
        written = empty if value is None else field.kind.json(value)
        group, dot, key = field.json.rpartition(".")
        if not dot:
            record[key] = written
        elif written is None:
            record.setdefault(group, None)
        else:
            record[group] = (record.get(group) or {}) | {key: written}
    return record
