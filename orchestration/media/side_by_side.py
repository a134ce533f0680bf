"""Run two pieces of work at once, as one: both end, or neither outlives the call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from orchestration.media.errors import ProgramCancelled
from orchestration.media.process import cancelled_by

First = TypeVar("First")
Second = TypeVar("Second")


def run_side_by_side(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """The results of both.

    ``first`` runs in the calling thread, where signals and Dagster's cancellation arrive. When either fails or is
    interrupted, the programs of the other are ended at once, and its failure is what the call raises.
    """
    stop = threading.Event()

    def run_second() -> Second:
        with cancelled_by(stop):
            return second()

    def stop_on_failure(done: Future[Second]) -> None:
        if done.exception() is not None:
            stop.set()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="beside") as executor:
        beside = executor.submit(run_second)
        beside.add_done_callback(stop_on_failure)
        try:
            with cancelled_by(stop):
                result = first()
            return result, beside.result()
        except ProgramCancelled:
            beside.result()  # raises why
            raise
        finally:
            stop.set()
