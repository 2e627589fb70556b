"""A page about a scanned library: numbers, a map, and songs to review."""
