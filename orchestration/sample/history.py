"""How a made-up past enters the platform: as heartbeats in the event log, like every other event.

One session is one compact beat of kind ``summary``. It stands in the log as if a collector had taken it when the
session ended.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestration.sample.experience import ABANDONED, BITRATES_BPS, FAILED, RUNGS, Experience
from orchestration.sample.rhythm import Window
from orchestration.sample.viewing import Viewing
from playback_api.events import (
    Beat,
    Delivery,
    PlaybackError,
    RecordKind,
    Run,
    SegmentLogWriter,
    Stall,
    encode_beats,
)

WRITER = "history"
BEATS_PER_RECORD = 1000
RECORDS_PER_COMMIT = 20
COMPLETED_SHARE = 0.95


@dataclass(frozen=True, kw_only=True)
class SessionColumns:
    """All that a beat needs to know of each session, by index.

    Attributes:
        window: The days of history.
        session_prefix: First part of the session ids.
        viewing, experience: The sessions and what became of them.
        viewer_ids, region_ids, devices, network_classes: By viewer.
        title_ids, durations_s: By title.
        pathways: By session, the edge that served it.
    """

    window: Window
    session_prefix: str
    viewing: Viewing
    experience: Experience
    viewer_ids: list[str]
    region_ids: list[str]
    devices: list[str]
    network_classes: list[str]
    title_ids: list[str]
    durations_s: list[float]
    pathways: list[str]


@dataclass(frozen=True, kw_only=True)
class HistoryReport:
    """What was written."""

    sessions: int
    records: int
    size_bytes: int
    first_sent_at: dt.datetime
    last_sent_at: dt.datetime


def write_history(columns: SessionColumns, event_log_folder: Path, *, writer: str = WRITER) -> HistoryReport:
    """Write all sessions into the event log.

    Args:
        columns: The sessions.
        event_log_folder: Folder of all writers' folders.
        writer: Name of the writer; its folder must not be in use.

    Raises:
        LogError: The log cannot be written.
    """
    records = size_bytes = sessions = 0
    first_sent_at = last_sent_at = columns.window.start
    batch: list[Beat] = []
    with SegmentLogWriter(event_log_folder, writer) as log:

        def store() -> None:
            nonlocal records, size_bytes
            log.append(RecordKind.BEATS, encode_beats(batch, batch[-1].sent_at))
            batch.clear()
            records += 1
            if records % RECORDS_PER_COMMIT == 0:
                size_bytes += log.commit()

        for beat in summary_beats(columns):
            if sessions == 0:
                first_sent_at = beat.sent_at
            batch.append(beat)
            sessions += 1
            last_sent_at = beat.sent_at
            if len(batch) == BEATS_PER_RECORD:
                store()
        if batch:
            store()
        size_bytes += log.commit()
    return HistoryReport(
        sessions=sessions,
        records=records,
        size_bytes=size_bytes,
        first_sent_at=first_sent_at,
        last_sent_at=last_sent_at,
    )


def summary_beats(columns: SessionColumns) -> Iterator[Beat]:
    """One beat a session, in the order in which the sessions ended."""
    viewing, experience = columns.viewing, columns.experience
    sent_s = np.minimum(viewing.started_s + experience.elapsed_s, columns.window.days * 86400.0 - 0.001)
    order = np.lexsort((np.arange(len(viewing)), sent_s))
    start = columns.window.start
    one_second = dt.timedelta(seconds=1)

    # Python lists: an element of an array costs several times as much as one of a list
    sent = np.round(sent_s[order], 3).tolist()
    viewers = viewing.viewer[order].tolist()
    titles = viewing.title[order].tolist()
    outcomes = experience.outcome[order].tolist()
    startups = experience.startup_s[order].tolist()
    played = experience.played_s[order].tolist()
    ramps = experience.ramp_s[order].tolist()
    rungs = experience.rung[order].tolist()
    stall_counts = experience.stall_count[order].tolist()
    stalls = experience.stall_s[order].tolist()
    held = experience.held[order].tolist()
    requests = experience.requests[order].tolist()
    sizes = experience.size_bytes[order].tolist()
    pathways = [columns.pathways[index] for index in order.tolist()]

    for row, viewer in enumerate(viewers):
        title = titles[row]
        outcome = outcomes[row]
        played_s = played[row]
        pathway = pathways[row]
        duration_s = columns.durations_s[title]
        errors: list[PlaybackError] = []
        if outcome == ABANDONED:
            end_reason, startup_s = "abandoned", None
        elif outcome == FAILED:
            end_reason, startup_s = "failed", None
            errors = [PlaybackError(code="manifest-timeout", message="no answer from any pathway", fatal=True)]
        else:
            end_reason = "completed" if played_s >= COMPLETED_SHARE * duration_s else "stopped"
            startup_s = startups[row]
        yield Beat(
            session_id=f"{columns.session_prefix}-{row + 1:08d}",
            boot=0,
            seq=0,
            sent_at=start + sent[row] * one_second,
            kind="summary",
            viewer_id=columns.viewer_ids[viewer],
            title_id=columns.title_ids[title],
            region=columns.region_ids[viewer],
            device=columns.devices[viewer],
            network_class=columns.network_classes[viewer],
            duration_s=duration_s,
            position_s=played_s,
            startup_s=startup_s,
            runs=_runs(played_s, ramps[row], rungs[row], pathway) if played_s else [],
            stalls=_stalls(stall_counts[row], stalls[row], played_s) if stall_counts[row] else [],
            errors=errors,
            deliveries=[
                Delivery(
                    pathway=pathway,
                    requests=requests[row],
                    requests_cached=requests[row] if held[row] else 0,
                    size_bytes=sizes[row],
                    size_bytes_cached=sizes[row] if held[row] else 0,
                )
            ],
            switches=1 if ramps[row] else 0,
            end_reason=end_reason,  # type: ignore[arg-type]
        )


def _runs(played_s: float, ramp_s: float, rung: int, pathway: str) -> list[Run]:
    main = Run(
        position_s=ramp_s,
        played_s=round(played_s - ramp_s, 3),
        rung=RUNGS[rung],
        bitrate_bps=BITRATES_BPS[rung],
        pathway=pathway,
    )
    if not ramp_s:
        return [main]
    lower = Run(
        position_s=0.0, played_s=ramp_s, rung=RUNGS[rung - 1], bitrate_bps=BITRATES_BPS[rung - 1], pathway=pathway
    )
    return [lower, main]


def _stalls(count: int, lengths_s: list[float], played_s: float) -> list[Stall]:
    """Stalls spread evenly over what was played."""
    return [
        Stall(position_s=round(played_s * (number + 1) / (count + 1), 2), duration_s=lengths_s[number])
        for number in range(count)
    ]
