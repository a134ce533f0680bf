"""Finding something to watch."""
