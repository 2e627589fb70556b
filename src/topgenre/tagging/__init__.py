"""Genres in the files' own tags: what to write, how, and how to undo it."""
