"""What the checker says: one finding a fault."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong; an ``error`` must not be served.

    Attributes:
        rule: Short name, such as ``endlist``.
        where: File of the package.
    """

    severity: Literal["error", "warning"]
    rule: str
    where: str
    message: str


def error(rule: str, where: str, message: str) -> Finding:
    """A finding that forbids serving."""
    return Finding(severity="error", rule=rule, where=where, message=message)


def blocking(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that forbid serving a package."""
    return [finding for finding in findings if finding.severity == "error"]
