"""The affinity model: training, registration and its gate."""

import dagster as dg
import msgspec

from ml import recommender
from orchestration import taxonomy
from orchestration.defs.recommender.inputs import SEED, VIEWING_KEY, not_trained
from orchestration.defs.recommender.pictures import picture
from orchestration.defs.recommender.registry import AFFINITY, RMSE, TITLE_MEAN_RMSE, register_affinity
from orchestration.defs.recommender.tables import VIEWING_TABLE
from orchestration.resources.tracking import ModelTracking
from orchestration.resources.warehouse import Warehouse


@dg.asset(
    key=["recommender", "affinity_model"],
    group_name=taxonomy.RECOMMENDER,
    owners=taxonomy.OWNERS[taxonomy.RECOMMENDER],
    kinds={"python", "mlflow"},
    deps=[VIEWING_KEY],
)
def affinity_model(
    context: dg.AssetExecutionContext, warehouse: Warehouse, tracking: ModelTracking
) -> dg.MaterializeResult:
    """How much each viewer will like each title, from 1 to 5, learnt from how much was watched and watched again.

    Grain: one registered version per materialisation. It gives the match percentage beside a title. Lists are not
    sorted by it: that is worse than plain popularity. Used by recommendations, and by analysts who compare what was
    predicted with what was watched to the end.
    """
    try:
        viewing = warehouse.read(VIEWING_TABLE, list(recommender.VIEWING_COLUMNS))
        trained = recommender.train_affinity(viewing, seed=SEED)
    except recommender.ViewingInsufficient as reason:
        return not_trained(context, reason)
    except recommender.RecommenderError as error:
        raise dg.Failure(description=str(error)) from error
    calibration = recommender.calibration_plot(trained)
    version = register_affinity(tracking.tracker(), trained, calibration, seed=SEED)
    return dg.MaterializeResult(
        metadata={
            "trained": True,
            "model_version": version.version,
            "mlflow_run": version.run_id,
            "recipe": msgspec.to_builtins(trained.model.facts.recipe),
            "rmse": trained.rmse,
            "rmse_of_title_means": trained.title_mean_rmse,
            "tested_events": len(trained.test),
            "calibration": picture("calibration", calibration),
            "viewers": len(trained.model.viewer_ids),
            "titles": len(trained.model.title_ids),
            "events": len(trained.interactions),
            "dropped_rows": trained.interactions.dropped,
            "data_id": version.data_id,
        }
    )


@dg.asset_check(asset=affinity_model, blocking=True)
def affinity_gate(tracking: ModelTracking) -> dg.AssetCheckResult:
    """Promotes the newest affinity model to champion when it predicts better than the mean of each title.

    A refusal is a warning: the champion stays, and what follows uses it.
    """
    tracker = tracking.tracker()
    newest = tracker.latest(AFFINITY)
    if newest is None:
        return dg.AssetCheckResult(passed=True, metadata={"decision": "there is no model to judge yet"})
    rmse, baseline = newest.metrics[RMSE], newest.metrics[TITLE_MEAN_RMSE]
    promoted = rmse < baseline
    if promoted:
        tracker.promote(AFFINITY, newest.version)
    champion = tracker.champion(AFFINITY)
    return dg.AssetCheckResult(
        passed=promoted,
        severity=dg.AssetCheckSeverity.WARN,
        description=None if promoted else "predicts no better than the mean of each title; the champion stays",
        metadata={
            "judged_version": newest.version,
            "champion_version": champion.version if champion else "none",
            "rmse": rmse,
            "rmse_of_title_means": baseline,
        },
    )
