"""What there is to watch."""
