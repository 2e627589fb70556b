"""Find music files, scan them into a catalogue, and make use of it."""
