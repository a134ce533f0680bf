"""Runs, models and champions in MLflow. The only file that imports it, and only when used: importing takes seconds.

A model here is a folder of files that its own room can read; MLflow keeps the folder, its signature, the run that made
it and the aliases. Nothing is pickled, and nothing leaves the machine. The tracking store is a database (SQLite by
default); artifacts are files in a folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
PREVIOUS = "previous"
"""The version that was champion before; a rollback goes there."""
CHALLENGER = "challenger"
"""The version that is tried beside the champion; none at most times."""
MODEL_FOLDER = "model"
FLAVOUR = "matinee"
TRIAL_TAG = "trial"
"""Of a registered model: the experiment in which a version of it was tried last."""
GIT_COMMIT_TAG = "mlflow.source.git.commit"
"""MLflow's own name for it."""

_NOISY_LOGGERS = ("mlflow", "alembic")


class TrackingError(Exception):
    """MLflow could not do what was asked."""


class ModelMissing(TrackingError):
    """No model, version or alias of that name is registered."""


@dataclass(frozen=True, kw_only=True)
class ModelSignature:
    """What a model takes and gives: names with MLflow's types (``string``, ``long``, ``float``, ``double``)."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class RegisteredVersion:
    """One version of a registered model.

    Attributes:
        data_id: Which data it was trained on, as its run logged it.
        metrics: What its run measured.
        tags: What was noted on it since.
    """

    name: str
    version: int
    run_id: str
    data_id: str
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


class Tracker:
    """Everything that the project asks of MLflow.

    Args:
        tracking_uri: A database, such as ``sqlite:///path/mlflow.db``; its folder is created.
        artifact_folder: Where files of runs and models are kept.
        revision: Says which code this is, noted on every run; empty where it is unknown. Asked when a run starts.
    """

    def __init__(self, tracking_uri: str, artifact_folder: Path, *, revision: Callable[[], str] = str) -> None:
        if tracking_uri.startswith("file:") or "://" not in tracking_uri:
            raise TrackingError(f"{tracking_uri!r} is not a database; give one such as sqlite:///path/mlflow.db")
        self.tracking_uri = tracking_uri
        self.artifact_folder = artifact_folder
        self._revision = revision
        self._opened: MlflowClient | None = None

    @contextlib.contextmanager
    def run(self, experiment: str, name: str) -> Iterator[TrackedRun]:
        """A run in an experiment: finished at the end of the block, failed when the block raises."""
        revision = self._revision()
        tags = {GIT_COMMIT_TAG: revision} if revision else {}
        run = self._client.create_run(self._experiment_id(experiment), run_name=name, tags=tags)
        tracked = TrackedRun(self._client, run.info.run_id, run.info.experiment_id)
        status = "FAILED"
        try:
            yield tracked
            status = "FINISHED"
        finally:
            self._client.set_terminated(tracked.run_id, status)

    def register(
        self, run: TrackedRun, name: str, folder: Path, *, signature: ModelSignature, description: str = ""
    ) -> RegisteredVersion:
        """Keep a folder as the next version of the registered model ``name``."""
        self._write_model_file(run, folder, signature)
        run.log_folder(folder, MODEL_FOLDER)
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)
        source = f"{self._client.get_run(run.run_id).info.artifact_uri}/{MODEL_FOLDER}"
        version = self._client.create_model_version(name, source, run_id=run.run_id, description=description)
        return self._described(version)

    def latest(self, name: str) -> RegisteredVersion | None:
        """The version registered last; None while there is none."""
        versions = self._client.search_model_versions(f"name = '{name}'")
        return self._described(max(versions, key=lambda version: int(version.version))) if versions else None

    def aliased(self, name: str, alias: str) -> RegisteredVersion | None:
        """The version under an alias; None while there is none."""
        found = self._client.search_registered_models(f"name = '{name}'")
        number = found[0].aliases.get(alias) if found else None
        return None if number is None else self._described(self._client.get_model_version(name, str(number)))

    def champion(self, name: str) -> RegisteredVersion | None:
        """The version under the alias ``champion``; None while nothing was promoted."""
        return self.aliased(name, CHAMPION)

    def promote(self, name: str, version: int) -> None:
        """Move the alias ``champion`` to a version; the champion before it becomes ``previous``.

        A trial ends with it, since what was tried was tried beside another champion.

        Raises:
            ModelMissing: There is no such version.
        """
        self._version(name, version)
        before = self.champion(name)
        if before is not None and before.version != version:
            self._client.set_registered_model_alias(name, PREVIOUS, str(before.version))
        self._client.set_registered_model_alias(name, CHAMPION, str(version))
        if self.aliased(name, CHALLENGER) is not None:
            self._client.delete_registered_model_alias(name, CHALLENGER)

    def roll_back(self, name: str) -> RegisteredVersion:
        """Make the champion before this one champion again; doing it twice undoes it.

        Raises:
            ModelMissing: There was none.
        """
        previous = self.aliased(name, PREVIOUS)
        if previous is None:
            raise ModelMissing(f"no version of {name} was champion before this one: there is nothing to go back to")
        self.promote(name, previous.version)
        return previous

    def try_beside_champion(self, name: str, version: int, *, experiment_id: str) -> None:
        """Move the alias ``challenger`` to a version, for an experiment.

        Raises:
            ModelMissing: There is no such version.
        """
        self._version(name, version)
        self._client.set_registered_model_tag(name, TRIAL_TAG, experiment_id)
        self._client.set_registered_model_alias(name, CHALLENGER, str(version))

    def last_trial(self, name: str) -> str:
        """The experiment in which a version was tried last, whether that goes on or not; empty when none was."""
        found = self._client.search_registered_models(f"name = '{name}'")
        return str(found[0].tags.get(TRIAL_TAG, "")) if found else ""

    def tag(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Note something on a version, such as what the gate decided."""
        for key, value in tags.items():
            self._client.set_model_version_tag(name, str(version), key, value)

    def model_folder(self, name: str, version: int) -> Path:
        """The files of a version, to be read only.

        Raises:
            ModelMissing: There is no such version, or its files are gone.
        """
        source = self._version(name, version).source
        folder = Path(source.removeprefix("file://"))
        if not folder.is_dir():
            raise ModelMissing(f"version {version} of {name} has no files at {source}; train it again")
        return folder

    @property
    def _client(self) -> MlflowClient:
        if self._opened is None:
            self._opened = self._open_client()
        return self._opened

    def _open_client(self) -> MlflowClient:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        for logger in _NOISY_LOGGERS:  # importing sets their levels
            logging.getLogger(logger).setLevel(logging.WARNING)
        if self.tracking_uri.startswith("sqlite:///"):
            Path(self.tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    def _experiment_id(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        folder = self.artifact_folder.resolve() / re.sub(r"[^a-z0-9-]+", "-", name.lower())
        folder.mkdir(parents=True, exist_ok=True)
        return str(self._client.create_experiment(name, artifact_location=folder.as_uri()))

    def _write_model_file(self, run: TrackedRun, folder: Path, signature: ModelSignature) -> None:
        from mlflow.models import Model
        from mlflow.models import ModelSignature as MlflowSignature
        from mlflow.types import ColSpec, Schema

        def schema(columns: Mapping[str, str]) -> Any:
            return Schema([ColSpec(type=kind, name=name) for name, kind in columns.items()])

        model = Model(
            artifact_path=MODEL_FOLDER,
            run_id=run.run_id,
            flavors={FLAVOUR: {"files": sorted(path.name for path in folder.iterdir())}},
            signature=MlflowSignature(inputs=schema(signature.inputs), outputs=schema(signature.outputs)),
        )
        model.save(str(folder / "MLmodel"))

    def _version(self, name: str, version: int) -> ModelVersion:
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_model_version(name, str(version))
        except MlflowException as error:
            raise ModelMissing(f"no version {version} of {name} is registered in {self.tracking_uri}") from error

    def _described(self, version: ModelVersion) -> RegisteredVersion:
        run = self._client.get_run(version.run_id)
        datasets = run.inputs.dataset_inputs if run.inputs else []
        return RegisteredVersion(
            name=version.name,
            version=int(version.version),
            run_id=version.run_id,
            data_id=datasets[0].dataset.digest if datasets else "",
            metrics=dict(run.data.metrics),
            tags=dict(version.tags),
        )


class TrackedRun:
    """A run that is going on; obtained from ``Tracker.run``."""

    def __init__(self, client: MlflowClient, run_id: str, experiment_id: str) -> None:
        self._client = client
        self.run_id = run_id
        self.experiment_id = experiment_id

    @property
    def path(self) -> str:
        """Where MLflow's pages show the run, below their root."""
        return f"#/experiments/{self.experiment_id}/runs/{self.run_id}"

    def log_parameters(self, parameters: Mapping[str, object]) -> None:
        """Log what the training was told."""
        for name, value in parameters.items():
            self._client.log_param(self.run_id, name, value)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log numbers, under names of letters, digits, spaces and ``_-./:``: MLflow refuses others."""
        for name, value in metrics.items():
            self._client.log_metric(self.run_id, name, float(value))

    def log_data(self, name: str, data_id: str, source: str) -> None:
        """Log which data was used.

        Args:
            name: What it is, such as ``serving.srv_viewing``.
            data_id: A digest of its content, at most 36 characters.
            source: Where it was read.
        """
        from mlflow.entities import Dataset, DatasetInput

        data = Dataset(name=name, digest=data_id, source_type="warehouse", source=source)
        self._client.log_inputs(self.run_id, datasets=[DatasetInput(dataset=data, tags=[])])

    def log_plot(self, name: str, png: bytes) -> None:
        """Log a picture as ``plots/<name>.png``."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{name}.png")
            path.write_bytes(png)
            self._client.log_artifact(self.run_id, str(path), "plots")

    def log_text(self, text: str, path: str) -> None:
        """Log a text, such as a table in Markdown, under a relative path."""
        self._client.log_text(self.run_id, text, path)

    def log_folder(self, folder: Path, path: str) -> None:
        """Log every file of a folder below a relative path."""
        self._client.log_artifacts(self.run_id, str(folder), path)
