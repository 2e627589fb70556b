"""Write the demo songs: ``python -m topgenre.demo FOLDER``."""

from __future__ import annotations

import sys

from topgenre.demo import write_demo
from topgenre.errors import TopgenreError


def main(arguments: list[str]) -> int:
    """Write the songs into a folder, and their paths to standard error."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m topgenre.demo FOLDER\n")
        return 2
    try:
        songs = write_demo(arguments[0])
    except TopgenreError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stderr.writelines(f"wrote {song}\n" for song in songs)
    sys.stderr.write("The songs are synthetic: they do not show how well topgenre knows music.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
