"""Dagster resources: where an installation keeps things and which servers it talks to."""
