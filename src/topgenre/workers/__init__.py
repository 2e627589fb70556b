"""Worker processes: a bad file costs its own process, and no other file."""
