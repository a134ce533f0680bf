"""Published recommendations in the object store: an immutable folder named by its content, and the pointer to it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import polars as pl

from ml.recommender import OnlineRecommender
from ml.tracking import CHALLENGER, RegisteredVersion
from orchestration.defs.recommender.registry import PRIMARY_METRIC, RMSE, TOP_N
from orchestration.store import ObjectStore, file_sha256
from playback_api.snapshot.schema import ModelRecord

AREA = "models/recommender"
POINTER_KEY = f"{AREA}/CURRENT"
MODELS_FILE = "models.json"
KEPT_PUBLICATIONS = 3
"""A snapshot has its own copy and nobody looks back at these, so that hours and not thirty days stay as of other things
that are published; a snapshot may still be copying the one before."""

PREVIEWED_VIEWERS = 5
PREVIEWED_TITLES = 5


def store_publication(
    store: ObjectStore, folder: Path, versions: Sequence[RegisteredVersion], challenger: RegisteredVersion | None = None
) -> str:
    """Copy a published folder into the store, without pointing to it.

    ``models.json`` beside the files is a list of ``ModelRecord``: which registered versions made them.

    Args:
        store: Where to.
        folder: Written by ``ml.recommender.publish``; the challenger's files in a folder of their own below.
        versions: The champions behind it, the ranking model first.
        challenger: The version on trial.

    Returns:
        The key of the new folder: the same content gets the same key.
    """
    records = [_record(version) for version in versions]
    if challenger is not None:
        records.append(msgspec.structs.replace(_record(challenger), name=f"{challenger.name}@{CHALLENGER}"))
    (folder / MODELS_FILE).write_bytes(msgspec.json.encode(records))
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    content = hashlib.sha256("\n".join(f"{name} {file_sha256(path)}" for name, path in files.items()).encode())
    key = f"{AREA}/{versions[0].version:04d}-{content.hexdigest()[:12]}"
    for name, path in files.items():
        store.put_file(f"{key}/{name}", path)
    return key


def point_to_publication(store: ObjectStore, key: str) -> None:
    """Make a stored folder the one that the next snapshot takes."""
    store.put_bytes(POINTER_KEY, key.encode(), replace=True)


def remove_old_publications(store: ObjectStore) -> list[str]:
    """Remove all but the newest ``KEPT_PUBLICATIONS`` folders; the one that is published always stays.

    Returns:
        The keys that were removed.
    """
    published = store.read_bytes(POINTER_KEY).decode().strip()
    folders = {f"{AREA}/{name}": store.local_path(f"{AREA}/{name}") for name in store.folders(AREA)}
    newest_first = sorted(folders, key=lambda key: folders[key].stat().st_mtime_ns, reverse=True)
    removed = [key for key in newest_first[KEPT_PUBLICATIONS:] if key != published]
    for key in removed:
        shutil.rmtree(folders[key])
    return removed


def preview(recommender: OnlineRecommender, viewer_ids: Sequence[str], titles: pl.DataFrame) -> str:
    """A Markdown table of the first titles of some viewers, with the reason behind each."""
    name_of = dict(zip(titles["title_id"], titles["name"], strict=True))
    lines = ["| viewer | titles |", "|---|---|"]
    for viewer_id in viewer_ids[:: max(1, len(viewer_ids) // PREVIEWED_VIEWERS)][:PREVIEWED_VIEWERS]:
        answer = recommender.recommend(viewer_id=viewer_id, recent=[], exclude=[], region_id=None, k=PREVIEWED_TITLES)
        described = [
            f"{name_of.get(title.title_id, title.title_id)} ({title.reason}"
            + (f": {name_of.get(title.because_title_id, title.because_title_id)})" if title.because_title_id else ")")
            for title in answer.titles
        ]
        lines.append(f"| {viewer_id} | {'; '.join(described) or 'left to popularity'} |")
    return "\n".join(lines)


def _record(version: RegisteredVersion) -> ModelRecord:
    metric = PRIMARY_METRIC if version.name == TOP_N else RMSE
    return ModelRecord(
        name=version.name,
        version=str(version.version),
        metric_name=metric,
        metric_value=version.metrics.get(metric),
        run_id=version.run_id,
    )
