"""Run pieces of work at once, as one: all end, or none outlives the call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from orchestration.media.errors import ProgramCancelled
from orchestration.media.process import cancelled_by

Result = TypeVar("Result")


def run_side_by_side(first: Callable[[], Result], *others: Callable[[], Result]) -> list[Result]:
    """The results of all, in their order.

    ``first`` runs in the calling thread, where signals and Dagster's cancellation arrive. When one fails or is
    interrupted, the programs of the others are ended at once, and its failure is what the call raises.
    """
    if not others:
        return [first()]
    stop = threading.Event()

    def run(work: Callable[[], Result]) -> Result:
        with cancelled_by(stop):
            return work()

    def stop_on_failure(done: Future[Result]) -> None:
        if done.exception() is not None:
            stop.set()

    with ThreadPoolExecutor(max_workers=len(others), thread_name_prefix="beside") as executor:
        beside = [executor.submit(run, work) for work in others]
        for future in beside:
            future.add_done_callback(stop_on_failure)
        try:
            return [run(first), *(future.result() for future in beside)]
        except ProgramCancelled:
            for failure in (future.exception() for future in beside):
                if failure is not None and not isinstance(failure, ProgramCancelled):
                    raise failure from None
            raise
        finally:
            stop.set()
