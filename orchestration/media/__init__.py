"""Media work, from a master file to a package that is served; no Dagster here.

The public door: probing, the whole ingest of one master, the packages that are served, and the records that other rooms
read. The steps one by one are in `pipeline.py`.
"""

from orchestration.media.check import Finding, check_package
from orchestration.media.errors import (
    EncodeTruncated,
    MasterMissing,
    MasterRejected,
    MediaError,
    PackageMissing,
    PackagingError,
    ProgramError,
    ProgramFailed,
    ProgramMissing,
    ProgramTimedOut,
    RecordDamaged,
)
from orchestration.media.masters import find_master, is_master, masters_by_title
from orchestration.media.objects import MediaObject, PackageRecord, Rendition
from orchestration.media.pipeline import ingest_master
from orchestration.media.probe import probe_file, report_unreadable
from orchestration.media.programs import find_ffmpeg, find_ffprobe, find_packager
from orchestration.media.publish import (
    current_packages,
    publish_package,
    read_current_package,
    share_title,
    share_titles,
)
from orchestration.media.quarantine import QuarantineReport, list_quarantine
from orchestration.media.report import ProbeReport
from orchestration.media.settings import MediaSettings
from orchestration.media.title_work import TitleWork

__all__ = [
    "EncodeTruncated",
    "Finding",
    "MasterMissing",
    "MasterRejected",
    "MediaError",
    "MediaObject",
    "MediaSettings",
    "PackageMissing",
    "PackageRecord",
    "PackagingError",
    "ProbeReport",
    "ProgramError",
    "ProgramFailed",
    "ProgramMissing",
    "ProgramTimedOut",
    "QuarantineReport",
    "RecordDamaged",
    "Rendition",
    "TitleWork",
    "check_package",
    "current_packages",
    "find_ffmpeg",
    "find_ffprobe",
    "find_master",
    "find_packager",
    "ingest_master",
    "is_master",
    "list_quarantine",
    "masters_by_title",
    "probe_file",
    "publish_package",
    "read_current_package",
    "report_unreadable",
    "share_title",
    "share_titles",
]
