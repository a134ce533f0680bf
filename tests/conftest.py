"""What every test shares. A skip is for a newcomer's machine; where nothing may skip (CI), it fails the run."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Every run draws the same examples, and a busy machine is no failure; --hypothesis-profile=default draws at random.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    if os.environ.get("MATINEE_NO_SKIPS") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("ERROR: tests were skipped and MATINEE_NO_SKIPS is set", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("MATINEE_NO_SKIPS") and reporter and reporter.stats.get("skipped") and session.exitstatus == 0:
        session.exitstatus = 1
