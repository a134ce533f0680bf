"""What the checker says: one finding a fault."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong; a package with a finding must not be served.

    Attributes:
        rule: Short name, such as ``endlist``.
        where: File of the package.
    """

    rule: str
    where: str
    message: str


def error(rule: str, where: str, message: str) -> Finding:
    """The finding of a rule that is broken."""
    return Finding(rule=rule, where=where, message=message)
