"""Fill genres in beets, the music library manager, by the sound of the music."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.library import Album, Item, Library
from beets.plugins import BeetsPlugin
from beets.util import displayable_path, syspath

from topgenre.classifier import Classifier, load
from topgenre.errors import TagError, TopgenreError
from topgenre.result import GenreProbability
from topgenre.tagging.policy import Policy, check_names, read_names

if TYPE_CHECKING:
    from beets.importer import ImportSession, ImportTask

# A list of genres since beets 2.7; before, one text.
_FIELD = "genres" if "genres" in Item._fields else "genre"


class TopgenrePlugin(BeetsPlugin):
    """Fills the genres of songs and albums, on import or on request."""

    def __init__(self) -> None:
        super().__init__()
        self.config.add(
            {
                "auto": True,
                "count": 1,
                "threshold": None,
                "force": False,
                "separator": ", ",
                "map": {},
                "genres": None,
            }
        )
        if self.config["auto"].get(bool):
            self.import_stages = [self._imported]

    def commands(self) -> Sequence[ui.Subcommand]:
        """Add ``beet topgenre``."""
        command = ui.Subcommand("topgenre", help="identify genres by what the music sounds like")
        command.parser.add_option(
            "-f",
            "--force",
            action="store_true",
            default=False,
            help="replace existing genres",
        )
        command.parser.add_option(
            "-p", "--pretend", action="store_true", default=False, help="only show the changes"
        )
        command.func = self._command
        return [command]

    def _command(self, library: Library, options: Any, arguments: list[str]) -> None:
        try:
            self._fill(
                library.items(arguments),
                force=options.force or self.config["force"].get(bool),
                pretend=options.pretend,
                write=ui.should_write(),
            )
        except TopgenreError as error:
            raise ui.UserError(str(error)) from error

    def _imported(self, _session: ImportSession, task: ImportTask) -> None:
        # beets writes the tags later, if configured.
        try:
            self._fill(task.imported_items(), force=self.config["force"].get(bool))
        except TopgenreError as error:
            self._log.error("{}", error)

    def _fill(
        self, items: Iterable[Item], *, force: bool, pretend: bool = False, write: bool = False
    ) -> None:
        albums: dict[int | None, Album] = {}
        chosen_by_song: dict[int | None, tuple[GenreProbability, ...]] = {}
        for item in items:
            if _genres(item) and not force:
                self._log.debug("{}: already has a genre", _name(item))
                continue
            chosen = self._classified(item)
            if not chosen:
                continue
            self._put(item, [genre for genre, _ in chosen], pretend)
            if not pretend:
                item.store()
                if write:
                    item.try_write()
            chosen_by_song[item.id] = chosen
            album = item.get_album()
            if album is not None:
                albums[album.id] = album
        for album in albums.values():
            self._fill_album(album, chosen_by_song, force=force, pretend=pretend)

    def _fill_album(
        self,
        album: Album,
        chosen_by_song: Mapping[int | None, tuple[GenreProbability, ...]],
        *,
        force: bool,
        pretend: bool,
    ) -> None:
        """Set the genres of an album from its songs, if it has none or all are classified.

        A song says nothing about the others, so an album keeps its genres if only some of its songs
        are classified.
        """
        everything = all(item.id in chosen_by_song for item in album.items())
        if _genres(album) and not (force and everything):
            return
        shares: dict[str, float] = {}
        for item in album.items():
            for genre, share in chosen_by_song.get(item.id, ()):
                shares[genre] = shares.get(genre, 0.0) + share
        best = sorted(shares, key=lambda genre: (-shares[genre], genre))
        self._put(album, best[: self._policy.count], pretend)
        if not pretend:
            album.store(inherit=False)  # the songs keep their own genres

    def _classified(self, item: Item) -> tuple[GenreProbability, ...]:
        """Return the genres for a song; empty if it is uncertain or fails."""
        try:
            result = self._classifier.classify(syspath(item.path), name=_name(item))
        except TopgenreError as error:
            self._log.warning("{}", error)
            return ()
        chosen = self._policy.choose(result)
        if not chosen:
            best, share = result.genres[0]
            self._log.info("{}: not sure ({} {:.0%})", _name(item), best, share)
        return chosen

    def _put(self, thing: Item | Album, genres: list[str], pretend: bool) -> None:
        verb = "would be" if pretend else "is"
        self._log.info("{}: {} {}", _name(thing), verb, ", ".join(genres))
        if not pretend:
            separator = self.config["separator"].as_str()
            thing[_FIELD] = genres if _FIELD == "genres" else separator.join(genres)

    @cached_property
    def _classifier(self) -> Classifier:
        if self.config["genres"].get() is None:
            return load()
        return load(genres=self.config["genres"].as_filename())

    @cached_property
    def _policy(self) -> Policy:
        count = self.config["count"].get(int)
        threshold = self.config["threshold"].get()
        if count < 1 or not (threshold is None or 0 <= threshold <= 1):
            raise TagError("topgenre: count must be at least 1, and threshold from 0 to 1")
        return Policy(
            count=count,
            threshold=None if threshold is None else float(threshold),
            names=self._names(),
            verbatim=self.config["genres"].get() is not None,
        )

    def _names(self) -> dict[str, str]:
        wanted = self.config["map"].get()
        if isinstance(wanted, str):
            return read_names(Path(self.config["map"].as_filename()), self._classifier.genres)
        return check_names(wanted or {}, self._classifier.genres, "topgenre.map")


def _genres(thing: Item | Album) -> Any:
    # Without the genre that a song inherits from its album.
    return thing.get(_FIELD, with_album=False) if isinstance(thing, Item) else thing.get(_FIELD)


def _name(thing: Item | Album) -> str:
    return displayable_path(thing.path) if isinstance(thing, Item) else str(thing)
