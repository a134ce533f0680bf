"""What can go wrong between the graph and its edges.

EdgeError
|-- EdgeUnreachableError    no answer, or none that makes sense
|-- EdgeRefusedError        an answer that says no, with its status and reason
`-- PlanUnusableError       a plan that no fill can be made of
"""

from __future__ import annotations

from typing import Any


class EdgeError(Exception):
    """Base of all of them."""


class EdgeUnreachableError(EdgeError):
    """The edge did not answer, or what answered is no edge."""


class EdgeRefusedError(EdgeError):
    """The edge answered with an error.

    Attributes:
        status_code: HTTP status: 400 not understood, 401 signature, 409 not while something is written,
            413 too large.
        facts: Numbers that came with it, such as the bytes of the plan and of the disk.
    """

    def __init__(self, message: str, *, status_code: int, facts: dict[str, Any]) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.facts = facts


class PlanUnusableError(EdgeError):
    """The plan lacks columns, mixes plans or contradicts the files it names."""
