"""What the tiles of the launcher write: letters as templates, and the script that shows the tiles."""
