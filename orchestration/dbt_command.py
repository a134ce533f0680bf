"""`matinee-dbt`: dbt, with a quick answer to the one question that Dagster asks before every build.

Dagster starts `dbt --version` for each invocation; dbt loads all of itself to answer, for seconds. The version is on
record in the installed package. Everything else is dbt's own command line.
"""

from __future__ import annotations

import importlib.metadata
import sys


def main() -> None:
    """Entry point of the `matinee-dbt` script."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"dbt-core {importlib.metadata.version('dbt-core')}\n")
        return
    from dbt.cli.main import cli

    cli()


if __name__ == "__main__":
    main()
