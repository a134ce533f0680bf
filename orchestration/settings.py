"""Where everything lives: one home folder, read once from the environment.

Here belong paths, addresses and the few numbers that differ between a laptop and a fleet. What belongs to one room
(encoder settings, model parameters) stands in that room.
"""

from __future__ import annotations

import datetime as dt
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.edge.topology import read_network

PROJECT_FOLDER = Path(__file__).resolve().parents[1]
WORLD_FILE = "world.toml"
DEFAULT_FIRST_EVENT_DAY = dt.date(2026, 9, 1)
DEVELOPMENT_SECRET = "matinee-development-only"


class SettingsError(Exception):
    """A setting is missing or makes no sense; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every place and address of one installation.

    Attributes:
        home: The folder that holds all state of the embedded form.
        masters_folder: Where master files land.
        first_event_day: First partition of every daily table.
        secret: Signs edge requests and playback tokens. The default is for development and is said aloud at start.
        control_url, collector_url, origin_url: Where the serving plane answers.
        edge_urls: Base URL of every edge of the seeds.
    """

    home: Path
    masters_folder: Path
    first_event_day: dt.date
    secret: str
    control_url: str
    collector_url: str
    origin_url: str
    edge_urls: dict[str, str]

    @property
    def store_folder(self) -> Path:
        """Root of the object store: media/, snapshots/, plans/."""
        return self.home / "store"

    @property
    def lake_folder(self) -> Path:
        """DuckLake: catalogue.sqlite and data/."""
        return self.home / "lake"

    @property
    def event_log_folder(self) -> Path:
        """The segment logs, one folder per writer."""
        return self.home / "events"

    @property
    def catalogue_drop_folder(self) -> Path:
        """Where titles.parquet and viewers.parquet are delivered."""
        return self.home / "catalogue"

    @property
    def signals_folder(self) -> Path:
        """Where a feed of mentions is delivered, CSV or Parquet files; optional."""
        return self.home / "signals"

    @property
    def quarantine_folder(self) -> Path:
        """Reports on masters that were refused, one JSON file each."""
        return self.home / "quarantine"

    @property
    def profile_path(self) -> Path:
        """SQLite file of the live profiles."""
        return self.home / "profile" / "profile.sqlite"

    @property
    def edges_folder(self) -> Path:
        """One folder per edge that runs on this host."""
        return self.home / "edges"

    @property
    def mlflow_uri(self) -> str:
        """MLflow's tracking and registry database."""
        return f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    @property
    def mlflow_artifact_folder(self) -> Path:
        """Where MLflow keeps what models and plots are made of."""
        return self.home / "mlflow" / "artifacts"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.home / "dagster"

    @property
    def work_folder(self) -> Path:
        """Scratch space; everything in it may be deleted while nothing runs."""
        return self.home / "work"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Environment: ``MATINEE_HOME`` (default ``.matinee`` in the project), ``MATINEE_MASTERS``, ``MATINEE_SECRET``,
    ``MATINEE_FIRST_EVENT_DAY``, ``MATINEE_CONTROL_URL``, ``MATINEE_COLLECTOR_URL``, ``MATINEE_ORIGIN_URL``. A
    ``world.toml`` in the home folder, which ``matinee demo`` and ``matinee up`` write, gives the defaults for the last
    four and, in a table ``edge_urls``, the addresses of edges that do not answer on this host at their seed's port.

    Raises:
        SettingsError: A value cannot be read.
    """
    home = Path(environment.get("MATINEE_HOME") or PROJECT_FOLDER / ".matinee").expanduser().resolve()
    world = _read_world_file(home / WORLD_FILE)

    def setting(name: str, default: str) -> str:
        return environment.get(name) or str(world.get(name.removeprefix("MATINEE_").lower(), default))

    first_day = setting("MATINEE_FIRST_EVENT_DAY", DEFAULT_FIRST_EVENT_DAY.isoformat())
    try:
        first_event_day = dt.date.fromisoformat(first_day)
    except ValueError:
        raise SettingsError(f"MATINEE_FIRST_EVENT_DAY is {first_day!r}; give a date such as 2026-09-01") from None
    moved_edges = world.get("edge_urls", {})
    if not isinstance(moved_edges, dict):
        raise SettingsError(f"{home / WORLD_FILE}: edge_urls is {moved_edges!r}; it must be a table of edge id = URL")
    edge_urls = {edge.edge_id: f"http://127.0.0.1:{edge.port}" for edge in read_network().edges}
    edge_urls.update({name: str(url) for name, url in moved_edges.items()})
    masters = environment.get("MATINEE_MASTERS") or str(home / "masters")
    return Settings(
        home=home,
        masters_folder=Path(masters).expanduser().resolve(),
        first_event_day=first_event_day,
        secret=environment.get("MATINEE_SECRET") or DEVELOPMENT_SECRET,
        control_url=setting("MATINEE_CONTROL_URL", "http://127.0.0.1:8801"),
        collector_url=setting("MATINEE_COLLECTOR_URL", "http://127.0.0.1:8802"),
        origin_url=setting("MATINEE_ORIGIN_URL", "http://127.0.0.1:8803"),
        edge_urls=edge_urls,
    )


def _read_world_file(path: Path) -> dict[str, object]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML ({error}); delete it to start with the defaults") from error
