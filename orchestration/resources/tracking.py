"""MLflow as a Dagster resource."""

from __future__ import annotations

import functools
import logging
import subprocess
from pathlib import Path

import dagster as dg

from ml.tracking import Tracker
from orchestration.settings import PROJECT_FOLDER

GIT_TIMEOUT_S = 10.0

logger = logging.getLogger(__name__)


class ModelTracking(dg.ConfigurableResource):
    """Where runs, models and the champion are kept: a SQLite file today, a shared database when it is outgrown."""

    tracking_uri: str
    artifact_folder: str

    def tracker(self) -> Tracker:
        """A tracker on this store; MLflow is imported when it is first used."""
        return Tracker(self.tracking_uri, Path(self.artifact_folder), revision=own_revision)


@functools.cache
def own_revision() -> str:
    """The commit of this project, as it was when the process first asked: it goes on with the code that it loaded."""
    return code_revision(PROJECT_FOLDER)


def code_revision(folder: Path) -> str:
    """The commit that a folder is a checkout of, ``-dirty`` where files differ from it; empty where nobody knows."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answered = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        logger.warning("runs do not say which code made them: %s", error)
        return ""
    return answered.stdout.strip()
