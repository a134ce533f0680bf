"""What can go wrong on an edge node, as one tree.

EdgeNodeError
|-- SignatureRefusedError       401
|-- FillRefusedError
|   |-- PlanInvalidError        400
|   |-- PlanTooLargeError       413
|   `-- FillRunningError        409
|-- RescanRefusedError          409
|-- DiskNotReadError            503
|-- UpstreamError               502
|   `-- UpstreamTimeoutError    504
`-- ContentMismatchError        an object is not what the plan says it is
"""

from __future__ import annotations


class EdgeNodeError(Exception):
    """Base of all of them; the message can be shown to the caller."""


class SignatureRefusedError(EdgeNodeError):
    """A signed call came without a signature, with a wrong or with an old one."""


class FillRefusedError(EdgeNodeError):
    """A fill was not accepted; nothing on the disk has changed."""


class PlanInvalidError(FillRefusedError):
    """The plan contradicts itself or names what cannot be a media object."""


class PlanTooLargeError(FillRefusedError):
    """The plan does not fit into what the disk leaves to placements."""

    def __init__(self, plan_bytes: int, capacity_bytes: int, pull_reserve_bytes: int) -> None:
        self.facts = {
            "plan_bytes": plan_bytes,
            "allowed_bytes": capacity_bytes - pull_reserve_bytes,
            "capacity_bytes": capacity_bytes,
            "pull_reserve_bytes": pull_reserve_bytes,
        }
        super().__init__(
            f"the plan has {plan_bytes} bytes, this edge takes {capacity_bytes - pull_reserve_bytes} "
            f"({capacity_bytes} capacity less {pull_reserve_bytes} kept for pull-through); send a smaller plan"
        )


class FillRunningError(FillRefusedError):
    """Another plan is being filled."""

    def __init__(self, running_plan_id: str) -> None:
        self.facts = {"running_plan_id": running_plan_id}
        super().__init__(f"plan {running_plan_id} is being filled; wait for it or send replace=true")


class RescanRefusedError(EdgeNodeError):
    """The disk is not read anew, since something is being written to it; nothing has changed."""


class DiskNotReadError(EdgeNodeError):
    """The edge does not know now what is on its disk."""


class UpstreamError(EdgeNodeError):
    """The upstream could not be reached or answered with an error of its own."""

    def __init__(self, message: str, *, status: int | None = None, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class UpstreamTimeoutError(UpstreamError):
    """The upstream did not answer in time."""


class ContentMismatchError(EdgeNodeError):
    """An object has another size or hash than the plan says."""
