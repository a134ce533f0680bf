"""What a viewer watched and chose."""
