"""A retry budget: retries may add a share to the load of a dependency in trouble, never multiply it."""

from __future__ import annotations

import time
from collections.abc import Callable


class RetryBudget:
    """Tokens that first attempts earn and retries spend.

    Each request earns ``ratio`` of a retry; beside that ``min_retries_per_s`` flow in, so that a quiet service may
    still retry at all. Unspent tokens are capped at ``max_tokens``, hence a good hour pays for no storm. After
    Finagle's RetryBudget and gRPC's retry throttling.

    Args:
        ratio: Retries per first attempt in the long run.
        min_retries_per_s: Tokens that flow in by time.
        max_tokens: Most that can be saved up; the budget starts full.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        *,
        ratio: float = 0.1,
        min_retries_per_s: float = 1.0,
        max_tokens: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ratio = ratio
        self._min_retries_per_s = min_retries_per_s
        self._max_tokens = max_tokens
        self._clock = clock
        self._tokens = max_tokens
        self._updated_at = clock()
        self.refused_count = 0

    @property
    def tokens(self) -> float:
        """Retries that could be made at this moment."""
        self._flow_in()
        return self._tokens

    def record_request(self) -> None:
        """A first attempt was made."""
        self._flow_in()
        self._tokens = min(self._max_tokens, self._tokens + self._ratio)

    def try_retry(self) -> bool:
        """Spend one token if there is one; false means: do not retry, pass the failure on."""
        self._flow_in()
        if self._tokens < 1.0:
            self.refused_count += 1
            return False
        self._tokens -= 1.0
        return True

    def _flow_in(self) -> None:
        now = self._clock()
        self._tokens = min(self._max_tokens, self._tokens + (now - self._updated_at) * self._min_retries_per_s)
        self._updated_at = now
