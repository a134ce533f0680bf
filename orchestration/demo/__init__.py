"""`matinee demo`: the whole loop on one machine, stage by stage, with a summary that can be checked."""

from orchestration.demo.loop import DemoOptions, run_demo
from orchestration.demo.summary import DemoSummary

__all__ = ["DemoOptions", "DemoSummary", "run_demo"]
