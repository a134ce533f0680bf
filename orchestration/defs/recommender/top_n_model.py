"""The ranking model: training beside the champion, registration, and the gate that alone moves the champion."""

import datetime as dt

import dagster as dg

from ml import recommender
from orchestration import taxonomy
from orchestration.defs.recommender.inputs import MAIN_ROWS_KEY, SEED, TITLES_KEY, VIEWING_KEY, not_trained
from orchestration.defs.recommender.pictures import picture
from orchestration.defs.recommender.registry import (
    GATE_TAG,
    LIST_MS_P99,
    TOP_N,
    accept_top_n,
    champion_top_n,
    register_top_n,
)
from orchestration.defs.recommender.tables import MAIN_ROWS_TABLE, TITLES_TABLE, VIEWING_TABLE
from orchestration.experiments import declared_trial
from orchestration.resources.tracking import ModelTracking
from orchestration.resources.warehouse import Warehouse


class RankerConfig(dg.Config):
    """From how many viewers to learn from trees rank the first stage's shortlist again."""

    min_viewers: int = recommender.RankerRecipe().min_viewers


@dg.asset(
    key=["recommender", "top_n_model"],
    group_name=taxonomy.RECOMMENDER,
    owners=taxonomy.OWNERS[taxonomy.RECOMMENDER],
    kinds={"python", "mlflow"},
    deps=[VIEWING_KEY, TITLES_KEY, MAIN_ROWS_KEY],
)
def top_n_model(
    context: dg.AssetExecutionContext, config: RankerConfig, warehouse: Warehouse, tracking: ModelTracking
) -> dg.MaterializeResult:
    """Which titles a viewer is likely to watch next, learnt from what is watched together and one after another.

    Grain: one registered version per materialisation, the challenger. It is scored on each viewer's last title beside
    recent popularity and the affinity model; the check champion_gate decides whether it becomes the champion. Used by
    recommendations, and by analysts who follow the quality of the home page by region and length of history.
    """
    tracker = tracking.tracker()
    champion = champion_top_n(tracker)
    try:
        viewing = warehouse.read(VIEWING_TABLE, list(recommender.VIEWING_COLUMNS))
        titles = warehouse.read(TITLES_TABLE, list(recommender.TITLE_COLUMNS))
        trained = recommender.train_top_n(
            viewing,
            titles,
            seed=SEED,
            champion=champion[1] if champion else None,
            recipe=recommender.Recipe(ranker=recommender.RankerRecipe(min_viewers=config.min_viewers)),
        )
        shown = warehouse.read(MAIN_ROWS_TABLE, list(recommender.SHOWN_COLUMNS))
        shadow = recommender.score_in_shadow(trained.model, viewing, titles, shown, seed=SEED)
    except recommender.ViewingInsufficient as reason:
        return not_trained(context, reason)
    except recommender.RecommenderError as error:
        raise dg.Failure(description=str(error)) from error
    plots = recommender.training_plots(trained)
    version = register_top_n(tracker, trained, shadow, plots, seed=SEED)
    score = trained.evaluation.scores[0]
    return dg.MaterializeResult(
        metadata={
            "trained": True,
            "model_version": version.version,
            "mlflow_run": version.run_id,
            "ndcg_at_10": score.ndcg.mean,
            "hit_rate_at_10": score.hit_rate,
            "ranker": trained.ranker.reason,
            "shadow": shadow.described(),
            "scores": dg.MetadataValue.md(recommender.metrics_table(trained.evaluation)),
            **{name: picture(name, png) for name, png in plots.items()},
            "viewers": len(trained.interactions.viewer_ids),
            "titles": len(trained.model.title_ids),
            "events": len(trained.interactions),
            "dropped_rows": trained.interactions.dropped,
            "data_id": version.data_id,
        }
    )


@dg.asset_check(asset=top_n_model, blocking=True)
def champion_gate(tracking: ModelTracking) -> dg.AssetCheckResult:
    """Promotes the newest ranking model to champion when it beats popularity and is not worse than the champion.

    Both by the paired bootstrap over viewers; and no slice of viewers (region, length of history) may certainly lose,
    coverage must not shrink, lists must be quick, and viewing must look like what the champion learnt from. What the
    model would have earned on past pages is reported beside it and decides nothing: where exploration showed too little
    of what it wants, it says so. It blocks, so that recommendations are made after the decision, but a refusal is only
    a warning: the champion stays, and what follows uses it. While an experiment with an arm for a challenger runs, the
    first model that passes makes the pages of that arm instead, and `matinee champion promote` moves the champion when
    people have seen what viewers say. A version is judged once: one that was moved aside since then stays aside.
    """
    tracker = tracking.tracker()
    newest = tracker.latest(TOP_N)
    if newest is None:
        return dg.AssetCheckResult(passed=True, metadata={"decision": "there is no model to judge yet"})
    if GATE_TAG in newest.tags:
        return dg.AssetCheckResult(
            passed=True, description=f"version {newest.version} was judged before: it {newest.tags[GATE_TAG]}"
        )
    folder = tracker.model_folder(TOP_N, newest.version)
    decision = recommender.decide(recommender.read_evidence(folder), list_ms_p99=newest.metrics[LIST_MS_P99], seed=SEED)
    outcome = decision.reason
    if decision.promote:
        trial = declared_trial(dt.datetime.now(dt.UTC).date())
        outcome += f": it {accept_top_n(tracker, newest.version, trial=trial)}"
    tracker.tag(TOP_N, newest.version, {GATE_TAG: outcome})
    champion = tracker.champion(TOP_N)
    return dg.AssetCheckResult(
        passed=decision.promote,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"version {newest.version} {outcome}",
        metadata={
            "judged_version": newest.version,
            "champion_version": champion.version if champion else "none",
            "compared_with": decision.compared_with,
            "difference_ndcg_at_10": decision.difference.mean,
            "difference_low": decision.difference.low,
            "difference_high": decision.difference.high,
            "conditions": dg.MetadataValue.md(recommender.gate_table(decision)),
            "shadow": recommender.read_shadow_score(folder).described(),
        },
    )
