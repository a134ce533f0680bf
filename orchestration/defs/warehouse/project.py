"""The dbt project on disk: where it is, and the manifest that the asset graph is read from.

The manifest is prepared in a build step (``python -m orchestration.defs.warehouse``, which ``make`` runs),
since parsing takes longer than loading all of the graph. A code location that finds none prepares it once; one that is
there is taken as it is.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from orchestration.resources.warehouse import prepare_lake
from orchestration.settings import PROJECT_FOLDER as REPOSITORY_FOLDER
from orchestration.settings import read_settings

logger = logging.getLogger(__name__)

PROJECT_FOLDER = REPOSITORY_FOLDER / "dbt"
MANIFEST_FILE = "manifest.json"
_PARTIAL_PARSE_FILE = "partial_parse.msgpack"
_SOURCE_SUFFIXES = (".sql", ".yml", ".csv")
_PARSE_TIMEOUT_S = 300


class ManifestError(Exception):
    """dbt could not read the project; the message holds what it said."""


def dbt_executable() -> Path:
    """The dbt that is installed beside the running Python."""
    return Path(sys.executable).parent / "dbt"


def target_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the prepared manifest is: ``dbt/target``, or ``DBT_TARGET_PATH`` where the sources are read-only."""
    return Path(environment.get("DBT_TARGET_PATH") or PROJECT_FOLDER / "target").absolute()


def prepared_manifest() -> Path:
    """The manifest, prepared now if there is none."""
    path = target_folder() / MANIFEST_FILE
    return path if path.exists() else prepare_manifest()


def is_stale(manifest: Path) -> bool:
    """Whether a source of the project is newer than the manifest, or the manifest is missing."""
    if not manifest.exists():
        return True
    prepared_at = manifest.stat().st_mtime
    return any(path.stat().st_mtime > prepared_at for path in _sources())


def prepare_manifest() -> Path:
    """Parse the project and put the manifest in its place by rename, so that no reader sees half of it.

    Raises:
        ManifestError: dbt refused the project.
    """
    target = target_folder()
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as folder:
        command = [str(dbt_executable()), "--no-use-colors", "parse", "--profiles-dir", str(PROJECT_FOLDER)]
        # The lake's own variables: dbt parses everything anew when its profile is not the one that it parsed with.
        lake = prepare_lake(read_settings().lake_folder)
        environment = {**os.environ, **lake.environment, "DBT_TARGET_PATH": folder, "DBT_LOG_PATH": folder}
        logger.info("preparing the dbt manifest")
        parsed = subprocess.run(
            command, cwd=PROJECT_FOLDER, env=environment, capture_output=True, text=True, timeout=_PARSE_TIMEOUT_S
        )
        if parsed.returncode != 0:
            raise ManifestError(f"{' '.join(command)} failed:\n{parsed.stdout[-4000:]}{parsed.stderr[-2000:]}")
        for name in (_PARTIAL_PARSE_FILE, MANIFEST_FILE):
            (Path(folder) / name).replace(target / name)
    return target / MANIFEST_FILE


@contextmanager
def environment_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for a moment: dbt's profile and models read them while a build goes on."""
    earlier = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in earlier.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _sources() -> Iterator[Path]:
    target = PROJECT_FOLDER / "target"
    for path in PROJECT_FOLDER.rglob("*"):
        if path.suffix in _SOURCE_SUFFIXES and target not in path.parents:
            yield path


def main() -> None:
    """Prepare the manifest if it is missing or older than a source."""
    if is_stale(target_folder() / MANIFEST_FILE):
        prepare_manifest()
