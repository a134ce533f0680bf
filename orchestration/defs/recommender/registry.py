"""How the recommender's models are kept in the registry: names, what is logged, and how the champion is read back."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ml import recommender
from ml.tracking import CHALLENGER, CHAMPION, ModelSignature, RegisteredVersion, TrackedRun, Tracker
from orchestration.defs.recommender.tables import VIEWING_TABLE

EXPERIMENT = "recommender"
TOP_N = "recommender-top-n"
AFFINITY = "recommender-affinity"

PRIMARY_METRIC = "ndcg_at_10"
BASELINES = "baselines"
"""Below it stand the primary metrics of the simple models that a ranking model was measured beside, by their names."""
LIST_MS_P99 = "list_ms_p99"
GATE_TAG = "gate"
"""On a version: what the gate said, and what followed."""
RMSE = "rmse"
TITLE_MEAN_RMSE = "title_mean_rmse"

_TOP_N_SIGNATURE = ModelSignature(
    inputs={"viewer_id": "string", "region_id": "string", "k": "long"},
    outputs={"title_id": "string", "score": "double", "reason": "string", "because_title_id": "string"},
)
_AFFINITY_SIGNATURE = ModelSignature(
    inputs={"viewer_id": "string", "title_id": "string"}, outputs={"affinity": "float"}
)


def register_top_n(
    tracker: Tracker,
    trained: recommender.TrainedTopN,
    shadow: recommender.ShadowScore,
    plots: Mapping[str, bytes],
    *,
    seed: int,
) -> RegisteredVersion:
    """Log a trained ranking model with its evaluation, and register it with what the gate decides on and reports."""
    recipe = msgspec.to_builtins(trained.model.facts.recipe)
    blend, ranker = recipe.pop("blend"), recipe.pop("ranker")
    with tracker.run(EXPERIMENT, "top-n") as run, tempfile.TemporaryDirectory() as scratch:
        _log_data(run, trained.interactions.data_id)
        grown = {f"ranker_{name}": value for name, value in ranker.items()}
        run.log_parameters({**recipe, **blend, **grown, "ranker_trees": len(trained.model.trees), "seed": seed})
        run.log_metrics({"validation_ndcg_at_10": trained.validation_ndcg_at_10})
        if trained.ranker.gain is not None:
            run.log_metrics({"ranker_gain_ndcg_at_10": trained.ranker.gain.mean})
        challenger, *baselines = trained.evaluation.scores
        run.log_metrics(
            {
                PRIMARY_METRIC: challenger.ndcg.mean,
                "hit_rate_at_10": challenger.hit_rate,
                "coverage_at_10": challenger.coverage,
                LIST_MS_P99: challenger.list_ms_p99,
                **{f"{BASELINES}/{score.model}/{PRIMARY_METRIC}": score.ndcg.mean for score in baselines},
            }
        )
        if shadow.estimate is not None:
            run.log_metrics(
                {
                    "shadow/plays_a_page": shadow.estimate.doubly_robust.mean,
                    "shadow/difference": shadow.estimate.difference.mean,
                    "shadow/effective_places": shadow.estimate.effective_places,
                }
            )
        run.log_text(recommender.metrics_table(trained.evaluation), "metrics.md")
        for name, png in plots.items():
            run.log_plot(name, png)
        folder = Path(scratch, "model")
        recommender.save_top_n(trained.model, folder)
        trained.evidence.save(folder)
        shadow.save(folder)
        return tracker.register(run, TOP_N, folder, signature=_TOP_N_SIGNATURE)


def register_affinity(
    tracker: Tracker, trained: recommender.TrainedAffinity, calibration: bytes, *, seed: int
) -> RegisteredVersion:
    """Log a trained affinity model with its error, and register it."""
    with tracker.run(EXPERIMENT, "affinity") as run, tempfile.TemporaryDirectory() as scratch:
        _log_data(run, trained.interactions.data_id)
        run.log_parameters({**msgspec.to_builtins(trained.model.facts.recipe), "seed": seed})
        run.log_metrics({RMSE: trained.rmse, TITLE_MEAN_RMSE: trained.title_mean_rmse, "tested": len(trained.test)})
        run.log_plot("calibration", calibration)
        folder = Path(scratch, "model")
        recommender.save_affinity(trained.model, folder)
        return tracker.register(run, AFFINITY, folder, signature=_AFFINITY_SIGNATURE)


def accept_top_n(tracker: Tracker, version: int, *, trial: str) -> str:
    """What follows for a version that has passed the gate: the champion moves, or waits for what viewers say.

    An experiment tries one version: with a second one, its arms would compare a mixture. What passes after its trial
    has ended moves the champion, as without an experiment.

    Args:
        tracker: The registry.
        version: Of the ranking model.
        trial: The experiment that runs and has an arm for a challenger; empty without one.

    Returns:
        What was done, in words.
    """
    if not trial or tracker.champion(TOP_N) is None:
        tracker.promote(TOP_N, version)
        return "is the champion now"
    if tracker.last_trial(TOP_N) == trial:
        on_trial = tracker.aliased(TOP_N, CHALLENGER)
        if on_trial is not None:
            return f"waits, since version {on_trial.version} is on trial"
        tracker.promote(TOP_N, version)
        return f"is the champion now, the trial of {trial} being over"
    tracker.try_beside_champion(TOP_N, version, experiment_id=trial)
    return "is on trial beside the champion now"


def champion_top_n(tracker: Tracker) -> tuple[RegisteredVersion, recommender.TopNModel] | None:
    """The ranking champion, read from its files; None while there is none."""
    return _loaded_top_n(tracker, tracker.champion(TOP_N))


def challenger_top_n(tracker: Tracker, trial: str) -> tuple[RegisteredVersion, recommender.TopNModel] | None:
    """The ranking model on trial in an experiment, read from its files; None while there is none."""
    if tracker.last_trial(TOP_N) != trial:
        return None
    return _loaded_top_n(tracker, tracker.aliased(TOP_N, CHALLENGER))


def versions_in_force(tracker: Tracker) -> dict[str, int | None]:
    """The versions that recommendations are made of, by model and alias: whoever moves an alias changes this."""
    roles = ((TOP_N, CHAMPION), (TOP_N, CHALLENGER), (AFFINITY, CHAMPION))
    named = {f"{name}@{alias}": tracker.aliased(name, alias) for name, alias in roles}
    return {role: version.version if version else None for role, version in named.items()}


def _loaded_top_n(
    tracker: Tracker, version: RegisteredVersion | None
) -> tuple[RegisteredVersion, recommender.TopNModel] | None:
    if version is None:
        return None
    return version, recommender.load_top_n(tracker.model_folder(TOP_N, version.version))


def best_baseline(version: RegisteredVersion) -> tuple[str, float] | None:
    """The best of the simple models that a ranking model was measured beside, in the same run; None without any."""
    scores = {
        name.removeprefix(f"{BASELINES}/").removesuffix(f"/{PRIMARY_METRIC}"): value
        for name, value in version.metrics.items()
        if name.startswith(f"{BASELINES}/")
    }
    return max(scores.items(), key=lambda score: score[1], default=None)


def champion_affinity(tracker: Tracker) -> tuple[RegisteredVersion, recommender.AffinityModel] | None:
    """The affinity champion, read from its files; None while there is none."""
    version = tracker.champion(AFFINITY)
    if version is None:
        return None
    return version, recommender.load_affinity(tracker.model_folder(AFFINITY, version.version))


def _log_data(run: TrackedRun, data_id: str) -> None:
    run.log_data(VIEWING_TABLE, data_id, source="lake")
