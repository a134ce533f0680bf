"""The assets that both models are trained from, and the answer when that is not enough."""

import dagster as dg

from ml.recommender import ViewingInsufficient

SEED = 0

VIEWING_KEY = dg.AssetKey(["warehouse", "srv_viewing"])
TITLES_KEY = dg.AssetKey(["warehouse", "srv_titles"])
VIEWERS_KEY = dg.AssetKey(["warehouse", "srv_viewers"])
UNANSWERED_KEY = dg.AssetKey(["warehouse", "srv_unanswered"])
MAIN_ROWS_KEY = dg.AssetKey(["warehouse", "srv_main_rows"])


def not_trained(context: dg.AssetExecutionContext, reason: ViewingInsufficient) -> dg.MaterializeResult:
    """The answer of a new installation: failing here would stop the snapshot, and without it nobody could watch."""
    context.log.warning("no model was trained: %s", reason)
    return dg.MaterializeResult(metadata={"trained": False, "reason": str(reason)})
