"""``python -m orchestration.defs.warehouse``: the build step that prepares the dbt manifest."""

from __future__ import annotations

from orchestration.defs.warehouse.project import main

if __name__ == "__main__":
    main()
