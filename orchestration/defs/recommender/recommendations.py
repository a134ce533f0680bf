"""Published recommendations: the champion's lists for every viewer, in the folder that the serving plane opens."""

import datetime as dt
import functools
import tempfile
from pathlib import Path

import dagster as dg

from ml import recommender
from ml.tracking import RegisteredVersion, Tracker, TrackingError
from orchestration import taxonomy
from orchestration.defs.recommender.inputs import TITLES_KEY, UNANSWERED_KEY, VIEWERS_KEY, VIEWING_KEY
from orchestration.defs.recommender.publication_store import (
    POINTER_KEY,
    point_to_publication,
    preview,
    remove_old_publications,
    store_publication,
)
from orchestration.defs.recommender.registry import (
    challenger_top_n,
    champion_affinity,
    champion_top_n,
    versions_in_force,
)
from orchestration.defs.recommender.tables import TITLES_TABLE, UNANSWERED_TABLE, VIEWERS_TABLE, VIEWING_TABLE
from orchestration.experiments import declared_trial
from orchestration.resources.storage import MediaStorage
from orchestration.resources.tracking import ModelTracking
from orchestration.resources.warehouse import Warehouse
from playback_api.snapshot import CHALLENGER_FOLDER

MOST_REPEATS = 3


@dg.asset(
    key=["recommender", "recommendations"],
    group_name=taxonomy.RECOMMENDER,
    owners=taxonomy.OWNERS[taxonomy.RECOMMENDER],
    kinds={"python", "numpy"},
    deps=[
        dg.AssetKey(["recommender", "affinity_model"]),
        dg.AssetKey(["recommender", "top_n_model"]),
        VIEWING_KEY,
        TITLES_KEY,
        VIEWERS_KEY,
        UNANSWERED_KEY,
    ],
)
def recommendations(
    context: dg.AssetExecutionContext, warehouse: Warehouse, tracking: ModelTracking, storage: MediaStorage
) -> dg.MaterializeResult:
    """The champion's list of titles for every viewer, with everything that serving needs to update it while they watch.

    Grain: one immutable folder per materialisation, eighty titles per viewer in it; models/recommender/CURRENT names
    the newest, and the last three are kept. Viewers who have watched nothing get what others of their age and picks
    watch. Used by the serving snapshot, which carries it to the playback API. While there is no champion nothing is
    published and the API answers with popularity. While a trial runs, the challenger's lists are beside the champion's.
    When somebody moves champion or challenger meanwhile, the lists are made again: what was taken back stays away.
    """
    tracker = tracking.tracker()
    in_force = versions_in_force(tracker)
    champion = champion_top_n(tracker)
    if champion is None:
        context.log.warning("nothing was published: no ranking model has passed the gate yet; popularity answers")
        return dg.MaterializeResult(metadata={"published": False, "reason": "no ranking model has passed the gate yet"})
    affinity = champion_affinity(tracker)
    challenger, challenger_note = _challenger(context, tracker)
    titles = warehouse.read(TITLES_TABLE, [*recommender.TITLE_COLUMNS, "name"])
    try:
        facts = recommender.read_title_facts(titles)
        viewing = warehouse.read(VIEWING_TABLE, list(recommender.VIEWING_COLUMNS))
        interactions = recommender.read_interactions(viewing, title_ids=facts.title_ids)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch, "recommender")
            publish = functools.partial(
                recommender.publish,
                affinity=affinity[1] if affinity else None,
                interactions=interactions,
                facts=facts,
                viewer_facts=recommender.read_viewer_facts(
                    warehouse.read(VIEWERS_TABLE, list(recommender.VIEWER_COLUMNS))
                ),
                unanswered=warehouse.read(UNANSWERED_TABLE),
            )
            publication = publish(folder, champion[1], model_version=f"top-n-{champion[0].version}")
            if challenger is not None:
                tried = folder / CHALLENGER_FOLDER
                publish(tried, challenger[1], model_version=f"top-n-{challenger[0].version}")
            sample = preview(recommender.OnlineRecommender.load(folder), interactions.viewer_ids, titles)
            key = store_publication(
                storage.store(),
                folder,
                [champion[0], *([affinity[0]] if affinity else [])],
                challenger[0] if challenger else None,
            )
        now_in_force = versions_in_force(tracker)
        if now_in_force != in_force:
            context.log.warning("made again: lists were made of %s while %s took over", in_force, now_in_force)
            raise dg.RetryRequested(max_retries=MOST_REPEATS)
        point_to_publication(storage.store(), key)
        removed = remove_old_publications(storage.store())
    except recommender.RecommenderError as error:
        raise dg.Failure(description=str(error)) from error
    return dg.MaterializeResult(
        metadata={
            "published": True,
            "folder": key,
            "pointer": POINTER_KEY,
            "model_version": publication.model_version,
            "affinity_version": affinity[0].version if affinity else "none",
            "challenger": challenger_note,
            "viewers": publication.viewers,
            "coverage_at_10": publication.coverage_at_10,
            "size_bytes": publication.size_bytes,
            "removed": len(removed),
            "summary": dg.MetadataValue.md(recommender.publication_summary(publication)),
            "sample": dg.MetadataValue.md(sample),
        }
    )


def _challenger(
    context: dg.AssetExecutionContext, tracker: Tracker
) -> tuple[tuple[RegisteredVersion, recommender.TopNModel] | None, str]:
    """The model on trial, if one is declared, and what to say of it. One that is damaged stops nothing."""
    trial = declared_trial(dt.datetime.now(dt.UTC).date())
    if not trial:
        return None, "no trial is declared"
    try:
        challenger = challenger_top_n(tracker, trial)
    except (recommender.RecommenderError, TrackingError) as error:
        context.log.warning("the trial stands still, the champion makes all pages: %s", error)
        return None, f"cannot be read: {error}"
    return challenger, f"version {challenger[0].version}" if challenger else "no model on trial yet"
