"""Content keys for sessions that may have them."""
