"""The player's own policy (first form: RobustMPC)."""

from player_sdk.abr.robust_mpc import RobustMpcAbr


class DefaultAbr(RobustMpcAbr):
    """Placeholder."""
