"""What people see of media in Dagster: tables, pictures and progress, as metadata and log lines."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import dagster as dg
import msgspec

from orchestration.media.check import Finding
from orchestration.media.chunk_encode import ChunkProgress
from orchestration.media.handover import TakenSidecars
from orchestration.media.ladder import Ladder
from orchestration.media.loudness import DeliveredLoudness
from orchestration.media.objects import PackageRecord
from orchestration.media.report import AudioTrack, ProbeReport, TextTrack, Track, VideoTrack
from orchestration.media.title_encode import EncodedTitle

PROGRESS_STEP = 0.1
MOST_SHOWN = 50


def log_progress(log: Callable[[str], None]) -> Callable[[ChunkProgress], None]:
    """A progress callback that writes a line every tenth of the way through each stretch of each chunk."""
    logged: dict[tuple[str, int], float] = {}

    def report(made: ChunkProgress) -> None:
        chunk, progress = made.chunk, made.progress
        stretch = (chunk.name, made.span.start)
        if progress.fraction is None or progress.fraction < logged.get(stretch, 0.0) + PROGRESS_STEP:
            return
        logged[stretch] = progress.fraction
        where = "" if chunk.count == 1 else f" chunk {chunk.number} of {chunk.count},"
        if len(chunk.spans) > 1:
            where += f" stretch {chunk.spans.index(made.span) + 1} of {len(chunk.spans)},"
        eta = "" if progress.eta_s is None else f", {progress.eta_s:.0f} s left"
        log(
            f"{chunk.codec}:{where} {progress.fraction:.0%} at {progress.fps:.0f} frames per second "
            f"({progress.speed:.2f}x){eta}"
        )

    return report


def probe_metadata(report: ProbeReport) -> dict[str, Any]:
    """Metadata of a probed master."""
    return {
        "file": report.file,
        "size_bytes": report.size_bytes,
        "container": report.container or "unknown",
        "declared_duration_s": report.declared_duration_s or 0.0,
        "decoded_duration_s": report.decoded_duration_s,
        "damaged_pictures": f"{report.corrupt_frames} of {report.sampled_frames} sampled",
        "tracks": table(("track", "codec", "what"), (_track_row(track) for track in report.tracks)),
        "warnings": bullets(report.warnings),
    }


def bullets(lines: Sequence[str]) -> dg.MarkdownMetadataValue:
    """A list, or ``none``: the first fifty, and how many more there are."""
    shown = [*lines[:MOST_SHOWN], *_told_more(lines)]
    return dg.MetadataValue.md("\n".join(f"- {text}" for text in shown) or "none")


def sidecars_metadata(taken: TakenSidecars) -> dict[str, Any]:
    """Metadata of what was taken beside a master."""
    rows = [
        (item.rendition.rung, item.rendition.language, item.rendition.name, item.size_bytes) for item in taken.captions
    ]
    said = msgspec.to_builtins(taken.description, builtin_types=(dt.date,)) if taken.description else {}
    return {
        "captions": len(taken.captions),
        "renditions": table(("rung", "language", "name", "bytes"), rows),
        "description": table(("field", "value"), list(said.items())),
        "warnings": bullets(taken.warnings),
    }


def refusal_metadata(reasons: Sequence[str], hints: Sequence[str], report_file: str) -> dict[str, Any]:
    """Metadata of a master that was refused."""
    return {
        "reasons": dg.MetadataValue.md("\n".join(f"- {text}" for text in reasons)),
        "what_to_do": dg.MetadataValue.md("\n".join(f"- {text}" for text in hints)),
        "report": dg.MetadataValue.path(report_file),
    }


def ladder_metadata(ladder: Ladder) -> dict[str, Any]:
    """Metadata of a planned ladder."""
    rows = [
        (
            rung.rung,
            f"{rung.width}x{rung.height}",
            f"{rung.cap_bps / 1000:.0f}",
            f"{rung.crf:g}",
            "" if rung.target_vmaf is None else f"{rung.target_vmaf:.1f}",
        )
        for rung in ladder.video
    ]
    rows += [(rung.rung, rung.language, f"{rung.bitrate_bps / 1000:.0f}", "", "") for rung in ladder.audio]
    return {
        "rungs": len(rows),
        "frame_rate": ladder.frame_rate,
        "duration_s": ladder.duration_s,
        "probing_cpu_s": round(ladder.probe_cpu_s, 2),
        "ladder": table(("rung", "size", "cap, kb/s", "CRF", "target VMAF"), rows),
    }


def renditions_metadata(encoded: EncodedTitle) -> dict[str, Any]:
    """Metadata of encoded renditions; an encode that was not needed took no time."""
    rows = [
        (
            record.rendition.rung,
            f"{record.rendition.width}x{record.rendition.height}" if record.rendition.width else "",
            f"{record.rendition.bitrate_bps / 1000:.0f}",
            f"{record.rendition.peak_bitrate_bps / 1000:.0f}",
            len(record.segments),
            "reused" if record.rendition.rung in encoded.reused else "encoded",
        )
        for record in encoded.records
    ]
    result = encoded.result
    return {
        "size_bytes": sum(record.size_bytes for record in encoded.records),
        "encoded_rungs": len(encoded.encoded),
        "reused_rungs": len(encoded.reused),
        "encode_wall_s": result.wall_s if result else 0.0,
        "encode_cpu_s": result.cpu_s if result else 0.0,
        "encode_speed": result.speed if result else 0.0,
        "decoder_errors": result.damage if result else 0,
        "missed_seeks": result.missed_seeks if result else 0,
        "renditions": table(("rung", "size", "kb/s", "peak kb/s", "segments", "how"), rows),
    }


def package_metadata(record: PackageRecord, findings: Sequence[Finding], *, published: bool) -> dict[str, Any]:
    """Metadata of a package."""
    return {
        "package_id": record.package_id,
        "published": published,
        "duration_s": record.duration_s,
        "size_bytes": record.size_bytes,
        "objects": len(record.objects),
        "hls": f"media/{record.title_id}/{record.hls_key}",
        "dash": f"media/{record.title_id}/{record.dash_key}",
        "findings": findings_table(findings),
    }


def loudness_table(delivered: Sequence[DeliveredLoudness]) -> dg.MarkdownMetadataValue:
    """What became of the loudness of each rendition of sound."""

    def shown(value: float | None) -> str:
        return "silent" if value is None else f"{value:.1f}"

    rows = (
        (
            item.rung,
            shown(item.measured_lufs),
            f"{item.gain_db:+.1f}",
            "yes" if item.limited else "",
            shown(item.delivered_lufs),
            shown(item.true_peak_dbtp),
        )
        for item in delivered
    )
    return table(("rung", "measured LUFS", "gain dB", "limited", "delivered LUFS", "true peak dBTP"), rows)


def findings_table(findings: Sequence[Finding]) -> dg.MarkdownMetadataValue:
    """Findings of a package check."""
    rows = ((finding.rule, finding.where, finding.message) for finding in findings)
    return table(("rule", "where", "what"), rows)


def failures_table(failed: dict[str, str]) -> dg.MarkdownMetadataValue:
    """Titles and why each of them failed: the first fifty, and how many more there are."""
    rows = list(failed.items())
    return table(("title", "why"), [*rows[:MOST_SHOWN], *((more, "") for more in _told_more(rows))])


def pictures(contents: Iterable[bytes]) -> dg.MarkdownMetadataValue:
    """Small JPEGs, shown in the page."""
    encoded = (base64.b64encode(content).decode() for content in contents)
    return dg.MetadataValue.md(" ".join(f"![](data:image/jpeg;base64,{text})" for text in encoded))


def _told_more(items: Sequence[object]) -> list[str]:
    """What stands in the place of those that are not shown; nothing when all are."""
    return [f"and {len(items) - MOST_SHOWN} more"] if len(items) > MOST_SHOWN else []


def _track_row(track: Track) -> tuple[str, str, str]:
    if isinstance(track, VideoTrack):
        what = f"{track.width}x{track.height}, {track.frame_rate} frames per second, {track.pixel_format}"
        if track.rotation_degrees:
            what += f", rotated by {track.rotation_degrees} degrees"
        return f"{track.index} video", track.codec, what
    if isinstance(track, AudioTrack):
        used = "" if track.usable else ", cannot be decoded"
        return f"{track.index} audio", track.codec, f"{track.channels} channels, {track.language}{used}"
    if isinstance(track, TextTrack):
        kept = "" if track.convertible else ", cannot be converted to text"
        return f"{track.index} text", track.codec, f"{track.language}{kept}"
    return f"{track.index} {track.content}", track.codec, track.language


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """A Markdown table; the word none when it has no row."""
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(str(cell).replace("|", "\\|") for cell in row) for row in rows]
    if len(lines) == 2:
        return dg.MetadataValue.md("none")
    return dg.MetadataValue.md("\n".join(f"| {line} |" for line in lines))
