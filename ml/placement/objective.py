"""What a placement is worth: bytes that are served locally and sessions that start locally, on one scale.

The plan maximises the score that it expects, the gate compares the score that a replay measured. Both read it here, so
that a plan cannot buy what its gate does not pay for.
"""

from __future__ import annotations

START_WEIGHT = 0.3
"""How much of the score is the share of sessions that start locally; the rest is the byte hit ratio."""


def score(byte_hit_ratio: float, local_start_ratio: float) -> float:
    """The score of a placement, 0 to 1."""
    return (1.0 - START_WEIGHT) * byte_hit_ratio + START_WEIGHT * local_start_ratio


def start_worth_bytes(total_bytes: float, total_starts: float) -> float:
    """Local bytes that raise the score as much as one local start does.

    Args:
        total_bytes: What all sessions ask for.
        total_starts: How many sessions there are.
    """
    return START_WEIGHT / (1.0 - START_WEIGHT) * total_bytes / total_starts if total_starts > 0 else 0.0
