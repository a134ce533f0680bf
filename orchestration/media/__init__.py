"""Media work, from a master file to a package that is served; no Dagster here.

The public door: probing (`probe_file`), the five steps (`pipeline`), what is served (`current_packages`, `share_title`)
and the records that other rooms read (`objects`). Names are loaded when they are asked for, so that who only reads
records does not load the codec libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.media.check import Finding, check_package
    from orchestration.media.errors import MasterMissing, MasterRejected, MediaError, PackageMissing, ProgramError
    from orchestration.media.masters import find_master, masters_by_title
    from orchestration.media.objects import MediaObject, PackageRecord, Rendition
    from orchestration.media.pipeline import ingest_master
    from orchestration.media.probe import probe_file
    from orchestration.media.programs import find_ffmpeg, find_ffprobe, find_packager
    from orchestration.media.publish import current_packages, read_current_package, share_package, share_title
    from orchestration.media.quarantine import QuarantineReport, list_quarantine
    from orchestration.media.report import ProbeReport
    from orchestration.media.settings import MediaSettings

_HOMES = {
    "check": ("Finding", "check_package"),
    "errors": ("MasterMissing", "MasterRejected", "MediaError", "PackageMissing", "ProgramError"),
    "masters": ("find_master", "masters_by_title"),
    "objects": ("MediaObject", "PackageRecord", "Rendition"),
    "pipeline": ("ingest_master",),
    "probe": ("probe_file",),
    "programs": ("find_ffmpeg", "find_ffprobe", "find_packager"),
    "publish": ("current_packages", "read_current_package", "share_package", "share_title"),
    "quarantine": ("QuarantineReport", "list_quarantine"),
    "report": ("ProbeReport",),
    "settings": ("MediaSettings",),
}

__all__ = [
    "Finding",
    "MasterMissing",
    "MasterRejected",
    "MediaError",
    "MediaObject",
    "MediaSettings",
    "PackageMissing",
    "PackageRecord",
    "ProbeReport",
    "ProgramError",
    "QuarantineReport",
    "Rendition",
    "check_package",
    "current_packages",
    "find_ffmpeg",
    "find_ffprobe",
    "find_master",
    "find_packager",
    "ingest_master",
    "list_quarantine",
    "masters_by_title",
    "probe_file",
    "read_current_package",
    "share_package",
    "share_title",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"orchestration.media.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
