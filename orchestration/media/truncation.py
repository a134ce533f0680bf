"""Whether an encode lasts as long as its master says: ffmpeg's exit code does not tell of a decode that ended early."""

from __future__ import annotations

from pathlib import Path

from orchestration.media.errors import EncodeTruncated

TRUNCATION_SHARE = 0.02
TRUNCATION_S = 0.25
"""What may be missing, as a share and in seconds: the larger of both."""


def require_length(encoded_s: float, expected_s: float, rung: str, master: Path) -> None:
    """Refuse an encode that is shorter than it should be.

    Raises:
        EncodeTruncated: It is.
    """
    if expected_s - encoded_s > max(TRUNCATION_S, TRUNCATION_SHARE * expected_s):
        raise EncodeTruncated(
            f"{master.name}: rung {rung} holds {encoded_s:.2f} s of {expected_s:.2f} s: "
            "the master decodes in part only. Deliver it again"
        )
