"""How the demo loads what is large: Dagster, dbt and the stages that use them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Load modules without looking for garbage among them, then or later.

    Some 300,000 objects of Dagster and dbt live as long as the process. The collector goes through them again and again
    while they are made, which is a tenth of the time of loading, and for 0.2 s at every full collection afterwards.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
