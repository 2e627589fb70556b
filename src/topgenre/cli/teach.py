"""Implement ``topgenre teach``, ``correct`` and ``review``: a user's own genres."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topgenre.cli import options
from topgenre.cli.printing import say_error, shown
from topgenre.cli.progress import Progress
from topgenre.text import json_safe

if TYPE_CHECKING:
    from topgenre.library.catalogue import Catalogue
    from topgenre.result import Failure
    from topgenre.teaching.examples import TaggedSong
    from topgenre.teaching.measure import Measured
    from topgenre.teaching.teach import Taught

_MOST_NAMES = 12  # merged or dropped names to list
_MinSongs = Annotated[
    int, typer.Option(min=1, metavar="N", help="Drop genres with fewer songs than this.")
]
_Names = Annotated[
    Path | None,
    typer.Option("--map", metavar="FILE", help="Rename, merge or drop genres; see `tag --map`."),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        short_help="Teach your own genres, from your tags or a folder per genre.",
        epilog="Example: topgenre teach --from-tags -o mine.genres",
    )(teach)
    app.command(
        short_help="Correct the genre of a song in the catalogue.",
        epilog="Example: topgenre correct song.mp3 shoegaze --genres mine.genres",
    )(correct)
    app.command(
        short_help="Review songs whose sound contradicts their genre tag.",
        epilog="Example: topgenre review",
    )(review)


def teach(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]", help="Has a subfolder per genre, with three songs or more each."
        ),
    ] = None,
    from_tags: Annotated[
        bool, typer.Option("--from-tags", help="Learn from the genre tags of the scanned library.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="File of genres to write.")
    ] = Path("mine.genres"),
    catalog: options.Catalog = None,
    min_songs: _MinSongs = 3,
    names: _Names = None,
    model: options.Model = None,
    jobs: options.Jobs = None,
    as_json: options.AsJson = False,
) -> None:
    """Teach topgenre your own genres, in seconds and without training a network.

    Learns from genre tags or folders, measures itself on artists it has not learnt from, and writes
    a file for --genres. Your music and its tags are only read.
    """
    from topgenre.head import SUFFIX
    from topgenre.library.catalogue import model_hash
    from topgenre.teaching.examples import gather
    from topgenre.teaching.teach import teach_examples

    if (folder is None) != from_tags:
        raise typer.BadParameter("name a folder, or use --from-tags", param_hint="FOLDER")
    if out.suffix.lower() != SUFFIX:
        raise typer.BadParameter(f"{out}: the name must end in {SUFFIX}", param_hint="--out")
    network = model_hash(model)
    if folder is None:
        from topgenre.library.catalogue import Catalogue
        from topgenre.teaching.sources import from_catalogue

        with Catalogue(catalog, read_only=True) as catalogue:
            options.say_left_out(catalogue.other_models(network))
            songs = list(from_catalogue(catalogue, network))
        if not songs:
            raise typer.BadParameter(
                "the scanned library has no genre tags; scan a tagged folder with "
                "`topgenre scan`, or name a folder with a sub-folder per genre"
            )
    else:
        songs = _embedded(folder, model, jobs)
    examples = gather(songs, min_songs=min_songs, names=_read_map(names))
    taught = teach_examples(examples, network.hex(), out.stem)
    taught.head.figures["settings"] = {"min_songs": min_songs, "from_tags": from_tags}
    taught.head.save(out)
    if as_json:
        typer.echo(json.dumps(_record(taught, out)))
    else:
        _print(taught)
        _say(f"\nWrote {out}. Use it: topgenre classify song.mp3 --genres {out}")


def correct(
    song: Annotated[Path, typer.Argument(metavar="SONG", help="A song of the scanned library.")],
    genre: Annotated[str, typer.Argument(metavar="GENRE", help="Its genre.")],
    catalog: options.Catalog = None,
    genres: options.Genres = None,
    model: options.Model = None,
) -> None:
    """Correct the genre of a song in the catalogue; the file is not changed.

    The correction is a strong example for `topgenre teach`. With --genres, that file is taught
    again at once.
    """
    from topgenre.library.catalogue import Catalogue

    path = os.path.abspath(song)  # noqa: PTH100 - as in the catalogue: links are not resolved
    genre = " ".join(genre.split())
    if not genre:
        raise typer.BadParameter("name a genre", param_hint="GENRE")
    with Catalogue(catalog) as catalogue:
        if catalogue.stamp(path) is None:
            raise typer.BadParameter(
                f"{song}: not in the catalogue; scan its folder first: topgenre scan",
                param_hint="SONG",
            )
        catalogue.correct(path, genre)
        _say(f"{song}: {genre}")
        if genres is not None:
            _teach_again(catalogue, genres, model)


def review(
    catalog: options.Catalog = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="List this many at most.")] = 20,
    min_songs: _MinSongs = 3,
    names: _Names = None,
    model: options.Model = None,
    as_json: options.AsJsonLines = False,
) -> None:
    """List songs whose sound contradicts their genre tag, the surest first.

    In a terminal, accept or dismiss each; the catalogue keeps your answers, no file is changed.
    """
    from topgenre.library.catalogue import Catalogue, model_hash
    from topgenre.teaching.examples import gather
    from topgenre.teaching.review import doubtful_tags
    from topgenre.teaching.sources import from_catalogue
    from topgenre.teaching.teach import teach_examples

    network = model_hash(model)
    with Catalogue(catalog, read_only=True) as catalogue:
        songs = list(from_catalogue(catalogue, network))
        settled = catalogue.corrected()[0]
    examples = gather(songs, min_songs=min_songs, names=_read_map(names))
    doubts = doubtful_tags(teach_examples(examples, network.hex()))
    doubts = [doubt for doubt in doubts if doubt.path not in settled][:limit]
    if not doubts and not as_json:
        _say("The sound contradicts no tag.")
    asks = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    for doubt in doubts:
        if as_json:
            typer.echo(json.dumps(json_safe(doubt.to_dict())))
            continue
        tagged = "; ".join(doubt.tagged)
        _say(f"{doubt.path}\n  tagged {tagged}, sounds like {doubt.suggested} ({doubt.share})")
        if not asks:
            continue
        answer = typer.prompt("  [a]ccept, [d]ismiss, [s]kip or [q]uit", default="s").casefold()
        if answer[:1] == "q":
            break
        if answer[:1] in ("a", "d"):
            with Catalogue(catalog) as catalogue:
                given = doubt.suggested if answer[:1] == "a" else doubt.tagged[0]
                catalogue.correct(doubt.path, given)


def _embedded(folder: Path, model: Path | None, jobs: int | None) -> list[TaggedSong]:
    from topgenre.teaching.sources import embed_songs, songs_below

    genre_of = songs_below(folder)
    progress = Progress(len(genre_of))

    def show(path: str, failure: Failure | None) -> None:
        if failure:
            progress.wipe()
            say_error(str(failure.error))
        progress.count(path)
        progress.draw()

    try:
        return list(embed_songs(genre_of, model=model, jobs=jobs, show=show))
    finally:
        progress.wipe()


def _read_map(path: Path | None) -> dict[str, str]:
    from topgenre.tagging.policy import read_names

    return {} if path is None else read_names(path, None)


def _teach_again(catalogue: Catalogue, path: Path, model: Path | None) -> None:
    """Teach a file of genres again, and print how many songs change."""
    from topgenre.head import GenreHead
    from topgenre.library.catalogue import model_hash
    from topgenre.teaching.examples import gather
    from topgenre.teaching.sources import from_catalogue
    from topgenre.teaching.teach import teach_examples

    before = GenreHead.load(path)
    settings = before.figures.get("settings", {})
    if not settings.get("from_tags"):
        _say(f"{path} was taught from a folder; teach it again with `topgenre teach FOLDER`.")
        return
    network = model_hash(model)
    before.check_network(network.hex(), str(path))
    examples = gather(
        from_catalogue(catalogue, network), min_songs=min(settings.get("min_songs", 3), 3)
    )
    after = teach_examples(examples, network.hex(), before.name).head
    after.figures["settings"] = settings
    after.save(path)
    changed = total = 0
    for block in catalogue.embeddings(network):
        old = before.probabilities(block.vectors).argmax(axis=1)
        new = after.probabilities(block.vectors).argmax(axis=1)
        changed += sum(before.genres[a] != after.genres[b] for a, b in zip(old, new, strict=True))
        total += len(old)
    _say(f"Taught {path} again: the answer changes for {changed:,} of {total:,} songs.")


def _record(taught: Taught, out: Path) -> dict[str, Any]:
    labels = taught.examples.labels
    return {
        "out": str(out),
        "genres": list(taught.head.genres),
        "figures": taught.head.figures,
        "merged": {genre: list(others) for genre, others in labels.merged.items()},
        "dropped": [entry._asdict() for entry in labels.dropped],
    }


def _print(taught: Taught) -> None:
    labels = taught.examples.labels
    merged = (f"{', '.join(others)} → {genre}" for genre, others in labels.merged.items())
    _list("Merged spellings", merged)
    _list("Dropped", (f"{d.name} ({d.n_songs}: {d.reason})" for d in labels.dropped))
    measured = taught.measured
    if measured is None:
        _say(
            "All songs are by one artist or from one album, so the accuracy of these genres "
            "cannot be measured."
        )
        return
    for line in _table(measured):
        _say(line)
    _say(
        f"\n{len(measured.probabilities):,} songs of {measured.n_artists:,} artists; each "
        "classified without having learnt from its artist:"
    )
    low, high = measured.accuracy.low, measured.accuracy.high
    _say(
        f"  first genre right     {measured.accuracy.value:.3f}"
        f"   95 % interval {low:.3f} to {high:.3f}"
    )
    _say(f"  among the first three {measured.top3.value:.3f}")
    _say(f"  always the commonest  {measured.baseline:.3f}")
    _say(f"  calibration error     {measured.ece:.3f}")
    untold = [figures.genre for figures in measured.genres if not figures.told]
    if untold:
        _say(f"Not recognisable by sound: {', '.join(untold)}.")
    for first, second in measured.same:
        _say(f"{first} and {second} are confused with each other; they may be the same genre.")


def _table(measured: Measured) -> Iterator[str]:
    width = min(max(len(figures.genre) for figures in measured.genres), 28)
    yield f"{'genre':{width}}  songs  precision  recall  mostly confused with"
    for figures in measured.genres:
        precision = "     -" if figures.precision is None else f"{figures.precision:6.2f}"
        yield (
            f"{figures.genre[:width]:{width}}  {figures.n_songs:5,}  {precision:>9}  "
            f"{figures.recall:6.2f}  {figures.taken_for or ''}"
        ).rstrip()


def _list(heading: str, entries: Iterable[str]) -> None:
    shown = list(entries)
    if not shown:
        return
    _say(f"{heading}:")
    for entry in shown[:_MOST_NAMES]:
        _say(f"  {entry}")
    if len(shown) > _MOST_NAMES:
        _say(f"  and {len(shown) - _MOST_NAMES:,} more")


def _say(line: str) -> None:
    for part in line.split("\n"):
        typer.echo(shown(part))
