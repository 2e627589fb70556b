"""Catalogues whose rows are made up: what stands in them need not lie on any disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from topgenre.cli.app import app
from topgenre.errors import SilentError, TopgenreError
from topgenre.library.catalogue import Catalogue, model_hash
from topgenre.library.song import Analysis, Tags
from topgenre.result import Failure, rank
from topgenre.result import Result as Judgement


class Library:
    """A folder, and a catalogue that knows songs in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.catalogue = Catalogue(folder.parent / "catalogue.sqlite3")
        self.model = model_hash()

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)  # noqa: PTH118 - pathlib would change some names

    def add(
        self,
        name: str,
        genre: str,
        probability: float,
        *,
        uncertain: bool = False,
        embedding: NDArray[Any] | None = None,
        artist: str | None = None,
        title: str | None = None,
        duration: float | None = 61.4,
        content: str | None = None,
        model: bytes | None = None,
    ) -> str:
        """Add a song that was judged."""
        path = self.path(name)
        rest = dict.fromkeys(("blues", "jazz", "rock"), (1 - probability) / 2)
        ranked = rank(rest | {genre: probability})
        judged = Judgement(path, ranked, uncertain, 0, 10, "m 1", (), duration)
        digest = hashlib.sha256(os.fsencode(content or name)).digest()
        vector = np.ones(2, np.float32) if embedding is None else embedding.astype(np.float32)
        found = Analysis(digest, judged, vector, Tags(artist, title))
        self.catalogue.add(path, 1, 1, model or self.model, found)
        return path

    def add_failure(
        self, name: str, reason: str = "silent", kind: type[TopgenreError] = SilentError
    ) -> str:
        """Add a file that cannot be judged."""
        path = self.path(name)
        failure = Failure.of(path, kind(f"{path}: {reason}"))
        self.catalogue.add(path, 1, 1, self.model, failure)
        return path

    def call(self, command: str, *arguments: str | Path) -> Result:
        """Run a command on the catalogue."""
        words = [command, *map(str, arguments), "--catalog", str(self.catalogue.path)]
        return CliRunner().invoke(app, words)
