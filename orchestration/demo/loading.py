"""How the demo loads what is large: Dagster, dbt and the stages that use them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Load modules without looking for garbage among them, then or later.

    The hundreds of thousands of objects of Dagster and dbt live as long as the process. The collector would go through
    them again and again while they are made, and at every full collection afterwards.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
