"""What the warehouse's comparison of arms leaves to Python: whether assignment is sound, a table and a plot.

The comparison itself (means, adjustment, intervals) is SQL, in ``dbt/models/marts/experiments``.
"""

from __future__ import annotations

from ml.experiments.balance import unbalanced_experiments
from ml.experiments.report import comparison_table, differences_plot

__all__ = ["comparison_table", "differences_plot", "unbalanced_experiments"]
