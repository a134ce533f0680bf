"""The catalogue's stage: the delivered titles and viewers, and the facts of what is packaged, into the lake."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.catalogue import delivered, media_facts
from orchestration.settings import Settings

__all__ = ["build_defs"]


def build_defs(settings: Settings) -> dg.Definitions:
    """`catalogue/titles`, `catalogue/viewers` and `catalogue/media_facts`."""
    return dg.Definitions(assets=[*delivered.build_assets(settings), media_facts.media_facts])
