"""The former name of `topgenre.cli.progress`, until every command has moved there."""

from __future__ import annotations

from topgenre.cli.progress import Progress


class StatusLine(Progress):
    """A progress bar whose count the caller keeps."""

    def draw(self, done: int | None = None) -> None:
        """Draw the line anew."""
        if done is not None:
            self.done = done
        super().draw()
