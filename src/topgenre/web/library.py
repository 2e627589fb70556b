"""Show songs of the server's catalogue to clients, but never their paths."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from topgenre.result import GenreProbability
from topgenre.text import json_safe

_SAME_RECORDING = 0.9995  # similarity from which two songs count as the same
_MOST_OFFERED = 10_000  # songs that can be played: the ones listed last
_NOTICE = "no song in the server's catalogue matches"


class SharedLibrary:
    """A catalogue that the owner of the server shows to clients.

    Parameters
    ----------
    catalog : Path
    model : Path or None
    play : bool
        Whether clients may play its songs. Each listed song then gets an id that cannot be guessed;
        other songs cannot be played.
    """

    def __init__(self, catalog: Path, model: Path | None, play: bool) -> None:
        self._catalog, self._model, self._play = catalog, model, play
        self._secret = secrets.token_bytes(16)
        self._offered: OrderedDict[str, str] = OrderedDict()

    def similar(
        self, embedding: bytes, genres: Mapping[str, float], limit: int
    ) -> list[dict[str, Any]]:
        """Find the songs nearest to an embedding; blocks.

        Raises
        ------
        CatalogueError
            If the catalogue cannot be read.
        """
        from topgenre.library.catalogue import Catalogue, model_hash
        from topgenre.library.similarity import neighbours

        with Catalogue(self._catalog, read_only=True) as catalogue:
            found = neighbours(
                catalogue,
                np.frombuffer(embedding, "<f4"),
                model=model_hash(self._model),
                limit=limit + 1,
                genres=genres,
            )
        return [
            {
                **self._playable(song.path),
                "title": json_safe(song.analysis.tags.title or Path(song.path).stem),
                "artist": json_safe(song.analysis.tags.artist),
                "album": json_safe(song.analysis.tags.album),
                "genre": song.analysis.result.genres[0].genre,
                "score": round(max(0.0, song.similarity), 4),
                "reasons": [f"both {genre}" for genre in song.shared_genres],
                "duration": song.analysis.result.duration,
            }
            for song in found
            if song.similarity < _SAME_RECORDING
        ][:limit]

    def correct(self, content: bytes, genre: str) -> bool:
        """Correct the genre of a song; return whether the catalogue has it. Blocks.

        Raises
        ------
        CatalogueError
            If the catalogue cannot be written.
        """
        from topgenre.library.catalogue import Catalogue
        from topgenre.library.find import is_gone

        # A missing catalogue is not created.
        with Catalogue(self._catalog, read_only=is_gone(str(self._catalog))) as catalogue:
            return catalogue.correct_content(content, genre)

    def recommended(self, weights: Sequence[GenreProbability], limit: int) -> dict[str, Any]:
        """Return the surest songs of some genres as a section; blocks."""
        from topgenre.recommend import recommend
        from topgenre.recommend.library_provider import Library

        provider = Library(self._catalog, self._model)
        section = recommend(weights, limit=limit, providers=[provider])[0].to_dict()
        for item in section["items"]:
            path = url2pathname(urlsplit(item["url"]).path)
            item |= {
                "name": json_safe(item["name"]),
                "url": self._playable(path)["audio_url"] or "",
            }
        # Notices about failures contain the path of the catalogue.
        section["notices"] = [_NOTICE] if section["notices"] else []
        return section

    def path(self, song: str) -> str | None:
        """Return the path of a listed song that may be played."""
        return self._offered.get(song) if self._play else None

    def _playable(self, path: str) -> dict[str, str | None]:
        if not self._play:
            return {"id": None, "audio_url": None}
        name = path.encode("utf-8", "surrogateescape")
        song = hmac.new(self._secret, name, hashlib.sha256).hexdigest()[:32]
        self._offered[song] = path
        self._offered.move_to_end(song)
        while len(self._offered) > _MOST_OFFERED:
            self._offered.popitem(last=False)
        return {"id": song, "audio_url": f"v1/library/{song}/audio"}
