"""The recommender's stage: two models, the gate before the champion, the published recommendations, and experiments.

Its modules say ``recommender.train_top_n`` where they use it and do not import the name: ``ml.recommender`` loads on
first use, so that SciPy and Surprise wait for the run that trains. The assets themselves are loaded when they are asked
for: the command line reads the registry, beside them, and does not wait for Dagster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

__all__ = ["build_defs"]


def build_defs(settings: Settings) -> dg.Definitions:
    """Assets and checks of the recommender; places come from the resources, so that no setting is needed yet."""
    import dagster as dg

    from orchestration.defs.recommender import affinity_model, experiments, recommendations, top_n_model

    return dg.Definitions(
        assets=[
            affinity_model.affinity_model,
            top_n_model.top_n_model,
            recommendations.recommendations,
            experiments.experiment_comparison,
        ],
        asset_checks=[affinity_model.affinity_gate, top_n_model.champion_gate, experiments.arms_fit_their_shares],
    )
