"""The captions of a title: from files beside the master and text tracks in it to WebVTT renditions.

A caption rendition is one file, ``text.vtt``, with a record like any other rendition's. Its id is a hash of what it
says, so a changed sidecar gives a new rendition and touches nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestration.media.errors import ProgramError
from orchestration.media.languages import UNKNOWN, language_tag
from orchestration.media.naming import as_label, first_free
from orchestration.media.objects import Rendition
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.recipe import rendition_id
from orchestration.media.renditions import RENDITION_SCHEMA_VERSION, RenditionRecord, Segment, put_record, rendition_key
from orchestration.media.report import ProbeReport, TextTrack
from orchestration.media.sidecars import CaptionFile, CaptionRole
from orchestration.media.ttml import TtmlError, parse_ttml
from orchestration.media.webvtt import Cue, clean_cues, parse_webvtt, write_webvtt
from orchestration.store import ObjectStore

TEXT_NAME = "text.vtt"
TIMEOUT_S = 3600
MAX_SIDECAR_BYTES = 20_000_000
TICKS_PER_S = 1000
_SUFFIXES: dict[CaptionRole, str] = {"subtitles": "", "captions": "-sdh", "forced": "-forced"}
_SHOWN: dict[CaptionRole, str] = {"subtitles": "", "captions": " (SDH)", "forced": " (forced)"}


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Captions before they are cleaned.

    Attributes:
        where: For messages: a file's name or a track.
        label: What the master or the file's name calls them.
    """

    where: str
    language: str
    role: CaptionRole
    label: str
    cues: list[Cue]


class CaptionSet(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a title's captions: the renditions' records, and what was not as it should be."""

    records: list[RenditionRecord]
    warnings: list[str]


def make_captions(
    master: Path,
    report: ProbeReport,
    files: Sequence[CaptionFile],
    film_s: float,
    folder: Path,
    store: ObjectStore,
    title_id: str,
) -> CaptionSet:
    """Convert all captions of a title and put them into the store; bad ones are told and left out.

    A file replaces a text track of the same language and role: it was delivered to correct it.

    Args:
        master: The film; read only if it has text tracks.
        report: The master's probe.
        files: Sidecars with captions.
        film_s: Cues end with the film.
        folder: Scratch space.
        store: Takes the renditions.
        title_id: The title.
    """
    warnings: list[str] = []
    sources = [source for file in files if (source := _read_file(file, folder, warnings)) is not None]
    delivered = {(source.language, source.role): source.where for source in sources}
    wanted = []
    for track in report.text:
        replaced_by = delivered.get((language_tag(track.language), _track_role(track)))
        if replaced_by is None:
            wanted.append(track)
        else:
            warnings.append(f"subtitle track {track.index} ({track.language}) is replaced by {replaced_by}")
    sources += _extract_tracks(master, wanted, folder, warnings)
    records: list[RenditionRecord] = []
    for source in sources:
        cues = _fit(source, film_s, warnings)
        if cues:
            content = write_webvtt(cues).encode()
            record = _describe(source, content, film_s, records)
            _store(store, title_id, record, content)
            records.append(record)
    return CaptionSet(records=records, warnings=warnings)


def decode_text(content: bytes) -> tuple[str, str | None]:
    """A text file's content, and its encoding when it is not UTF-8."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if content.startswith(mark):
            text = content[len(mark) :].decode(encoding, errors="replace")
            return text, None if encoding == "utf-8" else "UTF-16"
    sample = content[:2000]
    if sample.count(0) > len(sample) // 4:  # Latin letters leave every other byte empty
        is_little = sample[1::2].count(0) >= sample[0::2].count(0)
        return content.decode("utf-16-le" if is_little else "utf-16-be", errors="replace"), "UTF-16 without a mark"
    try:
        return content.decode("utf-8"), None
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), "Windows-1252 (Latin-1), guessed"


def _read_file(file: CaptionFile, folder: Path, warnings: list[str]) -> _Source | None:
    name = file.path.name
    try:
        content = file.path.read_bytes() if file.path.stat().st_size <= MAX_SIDECAR_BYTES else None
    except OSError as error:
        warnings.append(f"{name} is left out: it cannot be read ({error.strerror})")
        return None
    if content is None:
        warnings.append(f"{name} is left out: more than {MAX_SIDECAR_BYTES:,} bytes are no captions")
        return None
    try:
        cues = _read_cues(file.path.suffix.lower(), content, name, folder, warnings)
    except (TtmlError, ProgramError) as error:
        warnings.append(f"{name} is left out: {error}. Export it again as SRT or WebVTT in UTF-8")
        return None
    if file.language == UNKNOWN:
        warnings.append(f"{name} names no language; call it such as {file.path.stem}.en{file.path.suffix}")
    return _Source(where=name, language=file.language, role=file.role, label=file.label, cues=cues)


def _read_cues(extension: str, content: bytes, name: str, folder: Path, warnings: list[str]) -> list[Cue]:
    if extension in (".ttml", ".dfxp"):
        return parse_ttml(content)
    text, encoding = decode_text(content)
    if encoding is not None:
        warnings.append(f"{name} is {encoding}, not UTF-8; check its letters, or deliver it in UTF-8")
    if extension in (".srt", ".vtt"):
        return parse_webvtt(text)
    given, converted = folder / f"given{extension}", folder / "converted.vtt"
    given.write_text(text, encoding="utf-8")
    run_program(
        [find_ffmpeg(), "-v", "error", "-nostdin", "-y", "-f", "ass", "-i", str(given), "-f", "webvtt",
         str(converted)],
        timeout_s=TIMEOUT_S,
    )  # fmt: skip
    return parse_webvtt(converted.read_text(encoding="utf-8"))


def _extract_tracks(master: Path, tracks: Sequence[TextTrack], folder: Path, warnings: list[str]) -> list[_Source]:
    """The text tracks of a master, in one pass; one by one where that fails, so that a bad one is alone."""
    if not tracks:
        return []
    files = {track.index: folder / f"track-{track.index}.vtt" for track in tracks}
    command = [find_ffmpeg(), "-v", "error", "-nostdin", "-y", "-vn", "-an", "-dn", "-i", str(master)]
    for track in tracks:
        command += ["-map", f"0:{track.index}", "-c:s", "webvtt", "-f", "webvtt", str(files[track.index])]
    try:
        run_program(command, timeout_s=TIMEOUT_S)
    except ProgramError as error:
        if len(tracks) > 1:
            return [source for track in tracks for source in _extract_tracks(master, [track], folder, warnings)]
        warnings.append(f"subtitle track {tracks[0].index} is left out: it cannot be converted ({error})")
        return []
    return [
        _Source(
            where=f"subtitle track {track.index}",
            language=language_tag(track.language),
            role=_track_role(track),
            label=track.title,
            cues=parse_webvtt(files[track.index].read_text(encoding="utf-8", errors="replace")),
        )
        for track in tracks
    ]


def _track_role(track: TextTrack) -> CaptionRole:
    if track.forced:
        return "forced"
    return "captions" if track.hearing_impaired else "subtitles"


def _fit(source: _Source, film_s: float, warnings: list[str]) -> list[Cue]:
    """The cues that are shown."""
    cues = clean_cues(source.cues, film_s)
    late = sum(cue.start_s >= film_s for cue in source.cues)
    if not source.cues:
        warnings.append(f"{source.where} is left out: there is no caption in it")
    elif late:
        warnings.append(
            f"{source.where}: {late} of {len(source.cues)} captions begin after the film's end "
            f"({film_s:.1f} s) and are dropped; is it for another cut?"
        )
    elif not cues:
        warnings.append(f"{source.where} is left out: its captions are empty")
    return cues


def _describe(source: _Source, content: bytes, film_s: float, others: Sequence[RenditionRecord]) -> RenditionRecord:
    sha256 = hashlib.sha256(content).hexdigest()
    rung = first_free(f"text-{source.language}{_SUFFIXES[source.role]}", "-{}", [o.rendition.rung for o in others])
    shown = as_label(source.label) or f"{source.language}{_SHOWN[source.role]}"
    name = first_free(shown, " ({})", [other.rendition.name for other in others])
    duration_ticks = round(film_s * TICKS_PER_S)
    bitrate_bps = int(len(content) * 8 / film_s) + 1
    return RenditionRecord(
        schema_version=RENDITION_SCHEMA_VERSION,
        rendition=Rendition(
            rendition_id=rendition_id(sha256, ["text", rung, name, source.language, source.role, duration_ticks]),
            rung=rung,
            kind="text",
            codecs="wvtt",
            bitrate_bps=bitrate_bps,
            peak_bitrate_bps=bitrate_bps,
            language=source.language,
            name=name,
            role=source.role,
        ),
        timescale=TICKS_PER_S,
        frame_rate="",
        channels=0,
        sample_rate_hz=0,
        init_size_bytes=0,
        init_sha256="",
        segments=[
            Segment(
                name=TEXT_NAME, start_ticks=0, duration_ticks=duration_ticks, size_bytes=len(content), sha256=sha256
            )
        ],
        key_frames=[],
    )


def _store(store: ObjectStore, title_id: str, record: RenditionRecord, content: bytes) -> None:
    store.put_bytes(rendition_key(title_id, record.rendition.rendition_id, TEXT_NAME), content, replace=True)
    put_record(store, title_id, record)
