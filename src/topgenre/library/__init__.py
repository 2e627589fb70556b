"""A music library: finding files, the catalogue, scanning, similar songs, playlists."""
