"""Starting to watch."""
