"""Which pathway a session should use."""
