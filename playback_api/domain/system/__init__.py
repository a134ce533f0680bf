"""What operators and machines ask."""
