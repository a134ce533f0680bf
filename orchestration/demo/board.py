"""The demo's progress display: a line per stage, the running one with percent, rate and time to go.

Everything that stages write to standard output or error by themselves (Dagster, dbt, model libraries) goes to a log
file, so that the terminal shows the board alone.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from orchestration.demo.summary import StageLine

PLAIN_PROGRESS_EVERY_S = 10.0


class Stage:
    """The stage that runs: report ``progress`` while it lasts, set ``count`` and ``note`` for its line."""

    def __init__(self, name: str, unit: str, board: Board) -> None:
        self.name = name
        self.unit = unit
        self.count = 0
        self.note = ""
        self._board = board

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Show how far the stage is."""
        self._board.show_progress(self, done, total, note)


class Board:
    """Shows stages as they run and keeps their lines for the summary."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.lines: list[StageLine] = []
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._last_plain_line = 0.0

    @contextlib.contextmanager
    def stage(self, name: str, unit: str) -> Iterator[Stage]:
        """Run one stage; its line is kept when it ends well."""
        stage = Stage(name, unit, self)
        started = time.monotonic()
        self._last_plain_line = started
        with self._display(name):
            yield stage
        seconds = time.monotonic() - started
        self.lines.append(
            StageLine(name=name, count=stage.count, unit=unit, seconds=round(seconds, 2), note=stage.note)
        )
        note = f"  {stage.note}" if stage.note else ""
        self.console.print(f"[green]✓[/green] {name:<28} {stage.count:>9,} {unit:<22} {seconds:6.1f} s{note}")

    def show_progress(self, stage: Stage, done: float, total: float, note: str) -> None:
        """Move the bar, or print a line now and then where no bar can be drawn."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total, note=note)
        elif time.monotonic() - self._last_plain_line >= PLAIN_PROGRESS_EVERY_S:
            self._last_plain_line = time.monotonic()
            share = done / total if total else 0.0
            self.console.print(f"  {stage.name}: {share:.0%} {note}")

    @contextlib.contextmanager
    def _display(self, name: str) -> Iterator[None]:
        if not self.console.is_terminal:
            self.console.print(f"  {name} ...")
            yield
            return
        columns = (
            TextColumn("  {task.description:<28}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            self._progress, self._task = progress, progress.add_task(name, total=None, note="")
            try:
                yield
            finally:
                self._progress = self._task = None


@contextlib.contextmanager
def output_to_log(path: Path) -> Iterator[Console]:
    """Send standard output and error of this process and its children to a log; yield a console on the terminal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal, errors = os.dup(1), os.dup(2)
    with path.open("ab", buffering=0) as log, os.fdopen(terminal, "w", encoding="utf-8") as screen:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield Console(file=screen, width=None if screen.isatty() else 150, highlight=False)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            screen.flush()
            os.dup2(screen.fileno(), 1)
            os.dup2(errors, 2)
            os.close(errors)
