"""Whether ``objects.json`` says the truth about its renditions: placement and the catalogue know nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from orchestration.media.check.findings import Finding, error
from orchestration.media.check.package import CheckedPackage
from orchestration.media.check.rates import TOLERANCE_SHARE, average_bps, peak_bps


def check_record(package: CheckedPackage) -> Iterator[Finding]:
    """Each rendition's bit rates against the sizes and durations of its segments."""
    for rendition in package.record.renditions:
        segments = [
            item
            for item in package.record.objects
            if item.rendition_id == rendition.rendition_id and item.duration_s > 0
        ]
        if not segments:
            yield error("record-segments", rendition.rung, f"rendition {rendition.rendition_id} has no segment")
            continue
        sizes_bytes, durations_s = [item.size_bytes for item in segments], [item.duration_s for item in segments]
        for name, declared, measured in (
            ("bitrate_bps", rendition.bitrate_bps, average_bps(sizes_bytes, durations_s)),
            ("peak_bitrate_bps", rendition.peak_bitrate_bps, peak_bps(sizes_bytes, durations_s)),
        ):
            if abs(declared - measured) > TOLERANCE_SHARE * measured + 2:
                yield error("record-rates", rendition.rung, f"{name} is {declared}, measured {measured}")
