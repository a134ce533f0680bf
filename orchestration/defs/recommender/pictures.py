"""Plots as Dagster shows them."""

from __future__ import annotations

import base64

import dagster as dg


def picture(name: str, png: bytes) -> dg.MarkdownMetadataValue:
    """A PNG as metadata; its name is what is read out in its place."""
    return dg.MetadataValue.md(f"![{name.replace('_', ' ')}](data:image/png;base64,{base64.b64encode(png).decode()})")
