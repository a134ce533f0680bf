"""Where the lake is and what opens it: the folder, the catalogue's address and the DuckDB extensions.

dbt and Python open the same lake, each in a process of its own. Both are told by a ``LakeLocation``: Python by its
attributes, dbt's profile by its environment variables. Extensions come from wheels and are linked into a folder that
DuckDB looks into; nothing is ever downloaded.
"""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from orchestration.resources.warehouse.errors import ExtensionMissing

EXTENSIONS = ("ducklake", "sqlite_scanner")


@dataclass(frozen=True, kw_only=True)
class LakeLocation:
    """A prepared lake folder.

    Attributes:
        folder: Holds ``catalogue.sqlite``, ``data/`` and ``extensions/``.
    """

    folder: Path

    @property
    def catalogue(self) -> str:
        """What DuckDB attaches."""
        return f"ducklake:sqlite:{self.folder / 'catalogue.sqlite'}"

    @property
    def data_folder(self) -> Path:
        """Where the Parquet files are."""
        return self.folder / "data"

    @property
    def extension_folder(self) -> Path:
        """Where DuckDB finds its extensions."""
        return self.folder / "extensions"

    @property
    def environment(self) -> dict[str, str]:
        """What ``dbt/profiles.yml`` reads."""
        return {
            "MATINEE_LAKE_CATALOGUE": self.catalogue,
            "MATINEE_LAKE_DATA": f"{self.data_folder}/",
            "MATINEE_LAKE_EXTENSIONS": str(self.extension_folder),
        }


def prepare_lake(lake_folder: Path) -> LakeLocation:
    """Make the folders of a lake and link the extensions into it; does nothing where all of it is there.

    Raises:
        ExtensionMissing: An extension's wheel is not installed for this version of DuckDB.
    """
    location = LakeLocation(folder=lake_folder.resolve())
    location.data_folder.mkdir(parents=True, exist_ok=True)
    version_folder = location.extension_folder / f"v{duckdb.__version__}" / _platform()
    version_folder.mkdir(parents=True, exist_ok=True)
    for name in EXTENSIONS:
        _link(_extension_file(name), version_folder / f"{name}.duckdb_extension")
    return location


@cache
def _platform() -> str:
    with duckdb.connect(":memory:") as connection:
        row = connection.execute("pragma platform").fetchone()
    if row is None:
        raise ExtensionMissing("DuckDB does not say for which platform it was built")
    return str(row[0])


def _extension_file(name: str) -> Path:
    package = f"duckdb_extension_{name}"
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ExtensionMissing(
            f"the package {package.replace('_', '-')} is not installed; run the project's set-up again"
        )
    file = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if not file.is_file():
        raise ExtensionMissing(
            f"{package.replace('_', '-')} has no build for DuckDB {duckdb.__version__} ({file} is missing); "
            "install the same version of both"
        )
    return file


def _link(target: Path, link: Path) -> None:
    """Point ``link`` at ``target``, by rename, so that a process which loads it meanwhile finds the old or the new."""
    if link.is_symlink() and link.readlink() == target:
        return
    with tempfile.TemporaryDirectory(dir=link.parent) as staging:
        staged = Path(staging) / link.name
        staged.symlink_to(target)
        staged.replace(link)
