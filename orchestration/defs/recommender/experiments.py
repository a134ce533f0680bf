"""The experiments on home pages: the arms beside each other, for those who decide."""

import dagster as dg

from ml import experiments
from orchestration import taxonomy
from orchestration.defs.recommender.pictures import picture
from orchestration.resources.warehouse import Warehouse

ARMS_TABLE = "marts.fct_experiment_arms"


@dg.asset(
    key=["recommender", "experiments"],
    group_name=taxonomy.RECOMMENDER,
    owners=taxonomy.OWNERS[taxonomy.RECOMMENDER],
    kinds={"python"},
    deps=[dg.AssetKey(["warehouse", "fct_experiment_arms"])],
)
def experiment_comparison(warehouse: Warehouse) -> dg.MaterializeResult[None]:
    """What the arms of every declared experiment did to plays and hours watched, as a table and a plot.

    Grain: one look at `fct_experiment_arms` per materialisation. Its intervals hold at all times at once, so that it
    may be looked at every day; a viewer is compared once all of their days have passed. Used by whoever ends an
    experiment.
    """
    arms = warehouse.read(ARMS_TABLE)
    return dg.MaterializeResult(
        metadata={
            "experiments": arms["experiment_id"].n_unique(),
            "viewers": int(arms.unique(["experiment_id", "arm"])["viewers_assigned"].sum()),
            "arms": dg.MetadataValue.md(experiments.comparison_table(arms)),
            "differences": picture("differences_by_arm", experiments.differences_plot(arms)),
        }
    )


@dg.asset_check(asset=experiment_comparison)
def arms_fit_their_shares(warehouse: Warehouse) -> dg.AssetCheckResult:
    """Viewers came to the arms as declared; where they did not, the comparison must not be believed."""
    suspicious = experiments.unbalanced_experiments(warehouse.read(ARMS_TABLE))
    return dg.AssetCheckResult(
        passed=not suspicious,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{name}: p = {p_value:.2g}" for name, p_value in suspicious.items()) or "all fit",
    )
