"""Plain counters: an addition when something happens, text for Prometheus when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable

Labels = tuple[tuple[str, str], ...]


class Counters:
    """Counts by name and labels since the process started. For one event loop."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, Labels], int] = {}

    def add(self, name: str, amount: int = 1, /, **labels: str) -> None:
        """Count something, such as ``add("home_pages", source="model")``."""
        key = (name, tuple(sorted(labels.items())))
        self._values[key] = self._values.get(key, 0) + amount

    def value(self, name: str, /, **labels: str) -> int:
        """How often it happened so far."""
        return self._values.get((name, tuple(sorted(labels.items()))), 0)

    def as_dict(self) -> dict[str, int]:
        """Everything, named as in ``/metrics`` without prefix and suffix."""
        return {_sample(name, labels): value for (name, labels), value in sorted(self._values.items())}

    def prometheus_text(self, prefix: str, gauges: Iterable[tuple[str, Labels, float]] = ()) -> str:
        """All counters, and the gauges that the caller reads at this moment, in exposition format 0.0.4."""
        lines: list[str] = []
        samples = [
            *(("counter", f"{prefix}{name}_total", labels, value) for (name, labels), value in self._values.items()),
            *(("gauge", f"{prefix}{name}", labels, value) for name, labels, value in gauges),
        ]
        described = ""
        for kind, name, labels, value in sorted(samples, key=lambda sample: (sample[1], sample[2])):
            if name != described:
                lines.append(f"# TYPE {name} {kind}")
                described = name
            lines.append(f"{_sample(name, labels)} {value}")
        return "\n".join(lines) + "\n"


def _sample(name: str, labels: Labels) -> str:
    if not labels:
        return name
    inside = ",".join(f'{key}="{_escape(value)}"' for key, value in labels)
    return f"{name}{{{inside}}}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
