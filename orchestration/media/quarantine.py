"""Reports on masters that were refused: one JSON file per title in the quarantine folder.

The master itself stays where it is; whoever delivered it reads here why it was refused and what to do.
"""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path

import msgspec

from orchestration.media.report import ProbeReport

logger = logging.getLogger(__name__)


class QuarantineReport(msgspec.Struct, frozen=True, kw_only=True):
    """Why one master was refused."""

    title_id: str
    file: str
    sha256: str
    modified_ns: int
    refused_at: dt.datetime
    reasons: list[str]
    hints: list[str]
    report: ProbeReport


def quarantine_master(
    folder: Path, title_id: str, sha256: str, modified_ns: int, report: ProbeReport, refused_at: dt.datetime
) -> QuarantineReport:
    """Write the report on a refused master; an older one of the same title is replaced."""
    refusal = QuarantineReport(
        title_id=title_id,
        file=report.file,
        sha256=sha256,
        modified_ns=modified_ns,
        refused_at=refused_at,
        reasons=report.reasons,
        hints=report.hints,
        report=report,
    )
    folder.mkdir(parents=True, exist_ok=True)
    target = report_path(folder, title_id)
    staged = target.with_suffix(".staged")
    staged.write_bytes(msgspec.json.format(msgspec.json.encode(refusal)))
    staged.replace(target)
    return refusal


def release_master(folder: Path, title_id: str) -> None:
    """Remove the report on a title whose new master was accepted."""
    report_path(folder, title_id).unlink(missing_ok=True)


def read_refusal(folder: Path, title_id: str) -> QuarantineReport | None:
    """The report on a title; None when there is none that can be read."""
    path = report_path(folder, title_id)
    try:
        return msgspec.json.decode(path.read_bytes(), type=QuarantineReport)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        logger.warning("quarantine report %s cannot be read: %s", path, error)
        return None


def list_quarantine(folder: Path) -> list[QuarantineReport]:
    """Every report, by title; one that cannot be read is logged and left out."""
    if not folder.is_dir():
        return []
    reports = [read_refusal(folder, path.stem) for path in sorted(folder.glob("*.json"))]
    return [report for report in reports if report is not None]


def report_path(folder: Path, title_id: str) -> Path:
    """Where the report on a title stands."""
    return folder / f"{title_id}.json"
