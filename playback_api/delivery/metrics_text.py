"""Counters as text for Prometheus (exposition format 0.0.4), made when asked; counting itself costs an addition."""

from __future__ import annotations

from collections.abc import Mapping


def prometheus_text(
    prefix: str, values: Mapping[str, float], *, gauges: frozenset[str] = frozenset(), labels: Mapping[str, str] = {}
) -> str:
    """Write numbers as one metric each.

    Args:
        prefix: Put before every name, such as ``matinee_edge_``.
        values: Name -> number. What is not in ``gauges`` is a counter and gets the suffix ``_total``.
        gauges: Names of values that may go down.
        labels: Put on every metric; values need no escaping (identifiers).
    """
    label_text = ",".join(f'{name}="{value}"' for name, value in labels.items())
    lines: list[str] = []
    for name, value in values.items():
        kind = "gauge" if name in gauges else "counter"
        metric = f"{prefix}{name}" if kind == "gauge" else f"{prefix}{name}_total"
        lines.append(f"# TYPE {metric} {kind}")
        lines.append(f"{metric}{{{label_text}}} {value}" if label_text else f"{metric} {value}")
    return "\n".join(lines) + "\n"
