"""The code location: composition only. Everything is put together in ``build``."""

from __future__ import annotations

from orchestration.build import build_definitions

defs = build_definitions()
