"""The Dagster side of Matinee: it composes everything and computes little."""
