"""Whether viewers were shared out as declared. Where they were not, arms differ by more than what was tried."""

from __future__ import annotations

import polars as pl

SUSPICIOUS_P_VALUE = 0.001


def unbalanced_experiments(arms: pl.DataFrame) -> dict[str, float]:
    """Experiments whose numbers of viewers do not fit their shares, with the p-value of each.

    Pearson's chi-squared test of the viewers who were shown a page ("sample ratio mismatch": Fabijan et al.,
    "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019). The bar is as low as it is usual for
    this test, since it is looked at often.

    Args:
        arms: ``marts.fct_experiment_arms``: experiment_id, arm, share, viewers_assigned; more rows an arm count once.
    """
    from scipy.stats import chisquare  # a second of importing that the graph's definitions need not wait for

    suspicious = {}
    once = arms.unique(["experiment_id", "arm"], maintain_order=True)
    for (experiment_id,), members in once.group_by("experiment_id", maintain_order=True):
        observed = members["viewers_assigned"].to_numpy().astype(float)
        if observed.sum() == 0:
            continue
        shares = members["share"].to_numpy()
        p_value = float(chisquare(observed, shares / shares.sum() * observed.sum()).pvalue)
        if p_value < SUSPICIOUS_P_VALUE:
            suspicious[str(experiment_id)] = p_value
    return suspicious
