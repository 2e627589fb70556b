"""``python -m topgenre`` is the same as ``topgenre``."""

from topgenre.cli import main

if __name__ == "__main__":
    main()
