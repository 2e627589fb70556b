"""Implement ``topgenre listen``: classify live sound from a pipe."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topgenre.cli import options
from topgenre.errors import TooShortError
from topgenre.library.find import STANDARD_INPUT

if TYPE_CHECKING:
    from topgenre.live import Heard


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Example: ffmpeg -v error -i https://radio.example/stream -f wav - "
        "| topgenre listen -"
    )(listen)


def listen(
    source: Annotated[
        str, typer.Argument(metavar="-", help="Standard input: WAV, or raw samples.")
    ] = STANDARD_INPUT,
    rate: Annotated[
        int | None,
        typer.Option(
            min=2_000,
            max=768_000,
            metavar="HZ",
            help="Read raw 16-bit samples at this rate instead of WAV.",
        ),
    ] = None,
    channels: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="Channels of raw samples.")
    ] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object each second.")
    ] = False,
    model: options.Model = None,
) -> None:
    """Print the genre of live sound whenever it changes, until the sound ends.

    The last ten seconds are classified every second.
    """
    if source != STANDARD_INPUT:
        raise typer.BadParameter(
            "listen reads standard input only: pipe the sound into it", param_hint=source
        )
    options.check_standard_input([source])
    from topgenre.classifier import load
    from topgenre.live import listen as heard_in
    from topgenre.live import read_sound

    classifier = load(model)
    label = "standard input"
    sound = read_sound(sys.stdin.buffer, label, rate=rate, channels=channels)
    heard = None
    for heard in heard_in(sound, classifier, name=label):
        if as_json:
            typer.echo(json.dumps(_record(heard)))
        elif heard.changed:
            typer.echo(_line(heard))
        sys.stdout.flush()
    if heard is None:
        raise TooShortError(f"{label}: the sound ended within 3 s; at least 3 s are needed.")


def _line(heard: Heard) -> str:
    minutes, seconds = divmod(round(heard.time), 60)
    words = heard.result.verdict if heard.result else "Silence"
    return f"{minutes:3d}:{seconds:02d}  {words}"


def _record(heard: Heard) -> dict[str, Any]:
    record: dict[str, Any] = {"time": heard.time, "label": heard.label, "changed": heard.changed}
    if heard.result:
        full = heard.result.to_dict()
        kept = ("verdict", "tier", "uncertain", "music", "genres", "tags", "model")
        record |= {key: full[key] for key in kept}
    return record
