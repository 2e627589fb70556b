"""Write genres into the tags of music files, and undo that."""
