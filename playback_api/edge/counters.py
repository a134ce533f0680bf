"""What an edge counts: additions on the way, text and JSON when asked."""

from __future__ import annotations

import msgspec


class EdgeCounters(msgspec.Struct, kw_only=True):
    """Counts since the process started; all bytes are of bodies.

    Attributes:
        requests: GET and HEAD below ``/media``.
        hits_placed, hits_cached, misses: Where the answers came from.
        coalesced: Misses that waited for another request's answer instead of asking upstream.
        bytes_placed, bytes_cached, bytes_missed: Sent to viewers, by where they came from.
        upstream_requests, upstream_bytes: Asked and received for viewers, not for fills.
        not_found, negative_hits: Answers 404, and those of them given from memory.
        passed_through: Objects fetched but not stored: no room, no permission to, or a disk that refused.
        evictions, evicted_bytes: Pulled objects that had to go.
        dropped_groups: Placed groups outside the plan that made room for it.
        damaged_objects: Objects whose file was gone or of the wrong size when it was asked for.
        fill_objects, fill_bytes: Fetched and placed by fills.
        fill_sibling_objects, fill_sibling_bytes: Of these, placed from another edge of the region.
        fill_sibling_failures: Objects that were to come from another edge and had to come from upstream.
        fill_paused_s: Seconds that fills were held back while viewers used the link to upstream.
        disk_only_requests, disk_only_bytes: Asked for and sent to whoever wanted it from this disk or not at all, as
            other edges do for their fills; no part of ``requests``, hits and misses, which are the viewers'.
        refused_calls: Signed calls with a bad signature.
    """

    requests: int = 0
    hits_placed: int = 0
    hits_cached: int = 0
    misses: int = 0
    coalesced: int = 0
    bytes_placed: int = 0
    bytes_cached: int = 0
    bytes_missed: int = 0
    upstream_requests: int = 0
    upstream_bytes: int = 0
    upstream_errors: int = 0
    not_found: int = 0
    negative_hits: int = 0
    passed_through: int = 0
    evictions: int = 0
    evicted_bytes: int = 0
    dropped_groups: int = 0
    damaged_objects: int = 0
    disk_errors: int = 0
    fill_objects: int = 0
    fill_bytes: int = 0
    fill_paused_s: float = 0.0
    fill_sibling_objects: int = 0
    fill_sibling_bytes: int = 0
    fill_sibling_failures: int = 0
    disk_only_requests: int = 0
    disk_only_bytes: int = 0
    refused_calls: int = 0
