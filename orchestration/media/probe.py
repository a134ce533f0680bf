"""Look at one master and say whether a title can be made of it.

The verdict rests on what is there, never on what a header or an exit code claims: the bytes are sniffed, the boxes
walked, every packet's timestamp read, pictures and sound decoded at the beginning, in the middle and near the end. Made
to take about a second for a short file; the packet scan reads the file once.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import av
import av.error
from av.stream import Disposition

from orchestration.media.container import BoxStructure, looks_like_text, read_boxes, sniff_container
from orchestration.media.masters import readable
from orchestration.media.report import AudioTrack, OtherTrack, ProbeReport, SoundRole, TextTrack, Track, VideoTrack

MIN_DURATION_S = 0.4
MAX_MISSING_SHARE = 0.05
MAX_MISSING_S = 0.5
HOLE_SHARE = 0.5
"""A hole of this share of what is there beyond the declared duration explains it: a timestamp is damaged."""
SAMPLED_FRAMES_PER_WINDOW = 16
MAX_PACKETS_PER_WINDOW = 600
MAX_UNDECODABLE_SHARE = 0.5
UNEVEN_TRACKS_S = 0.5
USUAL_RATES = tuple(
    Fraction(numerator, denominator)
    for numerator, denominator in (
        (10, 1), (12, 1), (25, 2), (15000, 1001), (15, 1), (20, 1), (24000, 1001), (24, 1), (25, 1), (30000, 1001),
        (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1), (100, 1), (120000, 1001), (120, 1),
    )
)  # fmt: skip
RATE_TOLERANCE = 0.01
MAX_PIXEL_ASPECT = 4
NEARLY_SQUARE = 0.01
_PQ, _HLG = 16, 18  # transfer characteristics, ITU-T H.273 table 3
_UNTAGGED = 2  # matrix coefficients, ITU-T H.273 table 4
_BITMAP_SUBTITLES = {"pgssub", "dvdsub", "dvbsub", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub"}
_TEXT_SUBTITLES = {"subrip", "srt", "webvtt", "ass", "ssa", "mov_text", "text"}
MONO_TRACKS_OF_ONE_PROGRAMME = 3
"""So many mono tracks of one language, none named: most likely the channels of one programme."""

_UPLOAD_AGAIN = "Upload the file again and wait until the transfer has finished; compare its size with the original."
_EXPORT_AGAIN = "Export it again from the editing system as MP4, MOV, MKV or WebM with a common codec such as H.264."
_BOTH_IN_ONE = "This catalogue holds films: deliver the picture and the sound in one file."
_CHECK_STORAGE = "Check the disk or the share that it is on, and try again."
_UNREADABLE_HINTS: tuple[tuple[type[OSError], str], ...] = (
    (FileNotFoundError, "Check the path: there is no such file."),
    (IsADirectoryError, "Name the files in the folder, not the folder."),
    (PermissionError, "Give the user who runs this the right to read the file."),
)


def probe_file(path: Path) -> ProbeReport:
    """Probe one file.

    Never raises for a bad file: a verdict of ``rejected`` says why, in ``reasons``, and what to do, in ``hints``.

    Raises:
        OSError: The file cannot be read at all (missing, no permission).
    """
    notes = _Notes()
    size_bytes = path.stat().st_size
    if readable(path.name) != path.name:
        notes.reject("the file's name is not UTF-8", "Rename it and deliver it again.")
        return _rejected(path, size_bytes, None, notes)
    if size_bytes == 0:
        notes.reject("the file is empty (0 bytes)", _UPLOAD_AGAIN)
        return _rejected(path, size_bytes, None, notes)
    container_format = sniff_container(path)
    if container_format is None:
        what = "it holds plain text" if looks_like_text(path) else "its first bytes match no known format"
        notes.reject(f"not a media container: {what}", f"Check that this is the right file. {_EXPORT_AGAIN}")
        return _rejected(path, size_bytes, None, notes)
    boxes = read_boxes(path) if container_format == "mp4" else None
    if boxes is not None and not boxes.has_index:
        notes.reject(
            "the index (moov box) is missing: the upload is incomplete or the recording was not closed", _UPLOAD_AGAIN
        )
        return _rejected(path, size_bytes, container_format, notes)
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            return _probe_open(container, path, size_bytes, container_format, boxes, notes)
    except av.error.FFmpegError as error:
        if isinstance(error, av.error.EOFError) or (boxes is not None and boxes.missing_bytes > 0):
            notes.reject(f"truncated: the {container_format} file ends within its header", _UPLOAD_AGAIN)
        else:
            notes.reject(f"the {container_format} container cannot be opened: {error.strerror}", _EXPORT_AGAIN)
        return _rejected(path, size_bytes, container_format, notes)


def report_unreadable(path: Path, error: OSError) -> ProbeReport:
    """The report on a file that `probe_file` could not read at all; its size is told as 0, for it is not known."""
    notes = _Notes()
    hint = next((hint for kind, hint in _UNREADABLE_HINTS if isinstance(error, kind)), _CHECK_STORAGE)
    notes.reject(f"the file cannot be read: {error.strerror or error}", hint)
    return _rejected(path, 0, None, notes)


@dataclass
class _Notes:
    """Reasons, warnings and hints, as they are found."""

    reasons: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    def reject(self, reason: str, hint: str) -> None:
        self.reasons.append(reason)
        if hint not in self.hints:
            self.hints.append(hint)

    def warn(self, warning: str) -> None:
        self.warnings.append(warning)


@dataclass
class _Scan:
    """The timestamps of one track's packets, in seconds."""

    times: list[float] = field(default_factory=list)
    end_s: float = -math.inf
    packets: int = 0

    def add(self, packet: Any) -> None:
        self.packets += 1
        time_base = float(packet.time_base)
        moment = packet.pts if packet.pts is not None else packet.dts
        if moment is None or packet.is_discard:
            return
        self.times.append(moment * time_base)
        self.end_s = max(self.end_s, (moment + (packet.duration or 0)) * time_base)

    @property
    def start_s(self) -> float:
        return min(self.times, default=0.0)

    @property
    def intervals_s(self) -> list[float]:
        times = sorted(self.times)
        return [later - earlier for earlier, later in pairwise(times) if later > earlier]

    @property
    def presented_end_s(self) -> float:
        """End of the last packet; one interval after its start where the container gives no durations."""
        if not self.times:
            return 0.0
        intervals_s = self.intervals_s
        interval_s = statistics.median(intervals_s) if intervals_s else 0.0
        return max(self.end_s, max(self.times) + interval_s)

    @property
    def duration_s(self) -> float:
        return max(self.presented_end_s - self.start_s, 0.0)


@dataclass
class _Decoded:
    """What decoding some of a track showed."""

    frames: int = 0
    corrupt: int = 0
    errors: int = 0
    interlaced: int = 0
    first: Any = None
    last_error: str = ""

    def take(self, frame: Any) -> None:
        self.first = self.first if self.first is not None else frame
        self.frames += 1
        self.corrupt += bool(frame.is_corrupt)
        self.interlaced += isinstance(frame, av.VideoFrame) and frame.interlaced_frame


def _probe_open(
    container: Any, path: Path, size_bytes: int, container_format: str, boxes: BoxStructure | None, notes: _Notes
) -> ProbeReport:
    declared_s = container.duration / av.time_base if container.duration else None
    scans, scan_error = _scan_packets(container)
    pictures = _picture_streams(container)
    sounds = list(container.streams.audio)
    start_s, end_s = _presented_span([scans[stream.index] for stream in [*pictures[:1], *sounds]])
    duration_s = max(end_s - start_s, 0.0)

    tracks: list[Track] = []
    decoded = _Decoded()
    if not pictures:
        _refuse_without_picture(container, boxes, notes)
    else:
        decoded = _decode_samples(container, pictures[0], start_s, duration_s)
        tracks.append(_video_track(pictures[0], scans[pictures[0].index], decoded, start_s, notes))
        if len(pictures) > 1:
            notes.warn(f"{len(pictures)} video tracks; the first is used")
    tracks += [_audio_track(container, stream, scans[stream.index], start_s, notes) for stream in sounds]
    tracks += _other_tracks(container, pictures, notes)
    _judge_completeness(container, scans, boxes, declared_s, duration_s, scan_error, notes)
    _judge_pictures(decoded, tracks, notes)
    _judge_sound(tracks, notes)
    if pictures and not notes.reasons and duration_s < MIN_DURATION_S:
        notes.reject(
            f"too short: {duration_s:.2f} s, the minimum is {MIN_DURATION_S} s", "Check that this is the whole film."
        )
    return ProbeReport(
        file=readable(path.name),
        size_bytes=size_bytes,
        verdict="rejected" if notes.reasons else "playable",
        reasons=notes.reasons,
        warnings=notes.warnings,
        hints=notes.hints,
        container=container_format,
        declared_duration_s=declared_s,
        decoded_duration_s=round(duration_s, 6),
        sampled_frames=decoded.frames + decoded.errors,
        corrupt_frames=decoded.corrupt + decoded.errors,
        tracks=tracks,
    )


def _refuse_without_picture(container: Any, boxes: BoxStructure | None, notes: _Notes) -> None:
    held = dict.fromkeys(f"{stream.type or 'unknown'} ({_codec_name(stream)})" for stream in container.streams)
    if held:
        notes.reject(f"no video track; it holds {', '.join(held)}", _BOTH_IN_ONE)
    elif boxes is None or boxes.missing_bytes == 0:  # of a file that is cut short, that is the reason
        notes.reject("the index names no track: neither picture nor sound", _EXPORT_AGAIN)


def _rejected(path: Path, size_bytes: int, container_format: str | None, notes: _Notes) -> ProbeReport:
    return ProbeReport(
        file=readable(path.name),
        size_bytes=size_bytes,
        verdict="rejected",
        reasons=notes.reasons,
        warnings=notes.warnings,
        hints=notes.hints,
        container=container_format,
    )


def _picture_streams(container: Any) -> list[Any]:
    """Video streams that move: a cover picture is a video stream too."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def _scan_packets(container: Any) -> tuple[dict[int, _Scan], str | None]:
    """Every packet's timestamps by stream index, and the error that ended the scan early."""
    scans = {stream.index: _Scan() for stream in container.streams}
    try:
        for packet in container.demux():
            if packet.size and packet.stream.index in scans:
                scans[packet.stream.index].add(packet)
    except av.error.FFmpegError as error:
        return scans, str(error.strerror)
    return scans, None


def _presented_span(scans: Iterable[_Scan]) -> tuple[float, float]:
    with_packets = [scan for scan in scans if scan.times]
    if not with_packets:
        return 0.0, 0.0
    return min(scan.start_s for scan in with_packets), max(scan.presented_end_s for scan in with_packets)


def _decode_samples(container: Any, stream: Any, start_s: float, duration_s: float) -> _Decoded:
    """Decode some of a track at its beginning, in the middle and near the end."""
    decoded = _Decoded()
    if stream.codec_context is None:
        decoded.last_error = "no decoder for this codec"
        return decoded
    stream.thread_type = "AUTO"
    windows = [0.0] if duration_s < 3 else [0.0, duration_s / 2, max(duration_s - 1.5, 0.0)]
    for offset_s in windows:
        try:
            container.seek(int((start_s + offset_s) / stream.time_base), backward=True, stream=stream)
        except av.error.FFmpegError as error:
            decoded.last_error = f"cannot seek to {offset_s:.1f} s: {error.strerror}"
            continue
        _decode_window(container, stream, decoded)
    return decoded


def _decode_window(container: Any, stream: Any, decoded: _Decoded) -> None:
    wanted = decoded.frames + SAMPLED_FRAMES_PER_WINDOW
    packets = 0
    try:
        for packet in container.demux(stream):
            packets += 1
            try:
                for frame in packet.decode():
                    decoded.take(frame)
            except av.error.FFmpegError as error:
                decoded.errors += 1
                decoded.last_error = str(error.strerror)
            if decoded.frames >= wanted or packets >= MAX_PACKETS_PER_WINDOW:
                return
    except av.error.FFmpegError as error:
        decoded.last_error = str(error.strerror)


def _video_track(stream: Any, scan: _Scan, decoded: _Decoded, start_s: float, notes: _Notes) -> VideoTrack:
    context = stream.codec_context
    rate, variable = _frame_rate(scan, fallback=stream.average_rate)
    if len(scan.times) > max(USUAL_RATES) * scan.duration_s + 1:
        notes.warn(
            f"{len(scan.times)} pictures in {scan.duration_s:.2f} s by their timestamps, of which most are dropped; "
            "if they are to be shown, export it again"
        )
    if variable:
        notes.warn(f"variable frame rate; encoded at a constant {float(rate):.3g} frames per second")
    frame = decoded.first
    rotation = int(frame.rotation) if frame is not None else 0
    coded_width, coded_height = (context.width, context.height) if context is not None else (0, 0)
    if frame is not None:
        coded_width, coded_height = frame.width, frame.height
    width = max(round(coded_width * _pixel_aspect(stream, notes)), 1)
    height = max(coded_height, 1)
    if abs(rotation) % 180 == 90:
        width, height = height, width
    pixel_format = frame.format.name if frame is not None else (context.pix_fmt if context is not None else None)
    return VideoTrack(
        index=stream.index,
        codec=_codec_name(stream),
        width=width,
        height=height,
        coded_width=coded_width,
        coded_height=coded_height,
        pixel_format=pixel_format or "unknown",
        bit_depth=frame.format.components[0].bits if frame is not None else 0,
        frame_rate=str(rate),
        variable_frame_rate=variable,
        rotation_degrees=rotation,
        interlaced=decoded.interlaced * 2 > decoded.frames,
        transfer=_transfer(frame),
        colours=_colours(frame),
        start_s=round(scan.start_s - start_s, 6),
        duration_s=round(scan.duration_s, 6),
    )


def _frame_rate(scan: _Scan, fallback: Fraction | None) -> tuple[Fraction, bool]:
    """Pictures per second from timestamps, and whether the rate varies.

    Headers lie about rates (1000/1, 23040000/767849), so they count only when there are no two timestamps.
    """
    intervals = scan.intervals_s
    if not intervals:
        rate = Fraction(fallback) if fallback else Fraction(25)
        return _snap_rate(float(rate)), False
    median_s = statistics.median(intervals)
    tolerance_s = max(0.1 * median_s, 0.0021)  # containers with a millisecond clock jitter by two ticks
    variable = sum(abs(interval - median_s) > tolerance_s for interval in intervals) > 0.05 * len(intervals)
    interval_s = median_s if variable else statistics.fmean(intervals)
    return _snap_rate(1 / interval_s), variable


def _snap_rate(rate: float) -> Fraction:
    """The usual rate that is meant, or else the next higher one: no player should meet 779/74 frames per second."""
    nearest = min(USUAL_RATES, key=lambda usual: abs(float(usual) - rate))
    if abs(float(nearest) - rate) <= RATE_TOLERANCE * rate:
        return nearest
    return min((usual for usual in USUAL_RATES if usual >= rate), default=max(USUAL_RATES))


def _pixel_aspect(stream: Any, notes: _Notes) -> float:
    aspect = stream.sample_aspect_ratio
    if not aspect:
        return 1.0
    if not 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT:
        notes.warn(f"the pixel aspect ratio {aspect} makes no sense; pixels are taken as square")
        return 1.0
    # Some encoders write 399:400 to hit a display aspect exactly: not worth a resampled picture.
    return 1.0 if abs(aspect - 1) < NEARLY_SQUARE else float(aspect)


def _transfer(frame: Any) -> Literal["sdr", "pq", "hlg"]:
    if frame is None:
        return "sdr"
    if frame.color_trc == _PQ:
        return "pq"
    return "hlg" if frame.color_trc == _HLG else "sdr"


def _colours(frame: Any) -> Literal["tagged", "untagged", "rgb"]:
    if frame is None:
        return "untagged"
    if frame.format.is_rgb or frame.format.has_palette:
        return "rgb"
    return "untagged" if frame.colorspace == _UNTAGGED else "tagged"


def _audio_track(container: Any, stream: Any, scan: _Scan, start_s: float, notes: _Notes) -> AudioTrack:
    context = stream.codec_context
    decoded = _decode_samples(container, stream, scan.start_s, scan.duration_s)
    usable = decoded.frames > 0
    if not usable:
        fault = "it has no sample description" if context is None else decoded.last_error or "it holds no sound"
        notes.warn(f"audio track {stream.index} is left out: {fault}")
    elif decoded.errors:
        tried = decoded.frames + decoded.errors
        notes.warn(f"{decoded.errors} of {tried} sampled packets of audio track {stream.index} cannot be decoded")
    return AudioTrack(
        index=stream.index,
        codec=_codec_name(stream),
        channels=context.channels if context is not None else 0,
        sample_rate_hz=(context.sample_rate or 0) if context is not None else 0,
        language=stream.metadata.get("language") or "und",
        usable=usable,
        start_s=round(scan.start_s - start_s, 6),
        duration_s=round(scan.duration_s, 6),
        layout=context.layout.name if context is not None and context.channels else "",
        title=_title(stream),
        role=_role(stream),
        default=bool(stream.disposition & Disposition.default),
    )


def _title(stream: Any) -> str:
    return str(stream.metadata.get("title") or "").strip()


def _role(stream: Any) -> SoundRole:
    """By flag, and by name where an export lost the flag."""
    words = _title(stream).lower()
    if stream.disposition & Disposition.comment or "commentary" in words:
        return "commentary"
    if stream.disposition & (Disposition.visual_impaired | Disposition.descriptions) or "audio description" in words:
        return "description"
    return "main"


def _other_tracks(container: Any, pictures: list[Any], notes: _Notes) -> list[Track]:
    carried = {stream.index for stream in [*pictures, *container.streams.audio]}
    tracks: list[Track] = []
    for stream in container.streams:
        if stream.index in carried:
            continue
        codec = _codec_name(stream)
        language = stream.metadata.get("language") or "und"
        if stream.type == "subtitle":
            tracks.append(_text_track(stream, codec, language, notes))
        else:
            content = stream.type or "unknown"
            tracks.append(OtherTrack(index=stream.index, content=content, codec=codec, language=language))
    return tracks


def _text_track(stream: Any, codec: str, language: str, notes: _Notes) -> TextTrack:
    convertible = codec in _TEXT_SUBTITLES
    if not convertible:
        what = "bitmap, which cannot be converted to text" if codec in _BITMAP_SUBTITLES else "no text that is known"
        notes.warn(
            f"subtitle track {stream.index} ({codec}: {what}) is not carried; "
            "deliver it as a file beside the master, such as film.en.srt"
        )
    words = _title(stream).lower()
    flags = stream.disposition
    return TextTrack(
        index=stream.index,
        codec=codec,
        language=language,
        convertible=convertible,
        title=_title(stream),
        forced=bool(flags & Disposition.forced) or "forced" in words,
        hearing_impaired=bool(flags & (Disposition.hearing_impaired | Disposition.captions)) or "sdh" in words.split(),
        default=bool(flags & Disposition.default),
    )


def _codec_name(stream: Any) -> str:
    context = stream.codec_context
    return str(context.codec.canonical_name) if context is not None else "unknown"


def _judge_completeness(
    container: Any,
    scans: dict[int, _Scan],
    boxes: BoxStructure | None,
    declared_s: float | None,
    duration_s: float,
    scan_error: str | None,
    notes: _Notes,
) -> None:
    """Compare what is declared with what is there."""
    if boxes is not None and boxes.missing_bytes > 0:
        lost = f"the file ends {boxes.missing_bytes:,} bytes early"
        found = "" if declared_s is None else f"; {duration_s:.1f} s of {declared_s:.1f} s are there"
        notes.reject(f"truncated: {lost}{found}", _UPLOAD_AGAIN)
        return
    missing_s = (declared_s or 0.0) - duration_s
    tolerance_s = max(MAX_MISSING_S, MAX_MISSING_SHARE * (declared_s or 0.0))
    if declared_s is not None and -missing_s > tolerance_s:
        longer = f"the header declares {declared_s:.1f} s, the timestamps go on to {duration_s:.1f} s"
        hole_s = max((max(scan.intervals_s, default=0.0) for scan in scans.values()), default=0.0)
        if hole_s >= HOLE_SHARE * -missing_s:
            notes.reject(f"damaged: {longer}, over a hole of {hole_s:.1f} s", _UPLOAD_AGAIN)
        else:
            notes.warn(f"{longer}, which counts")
    elif missing_s > tolerance_s:
        samples_lost = any(stream.frames > scans[stream.index].packets for stream in container.streams)
        if boxes is not None and not samples_lost:
            notes.warn(f"the header declares {declared_s:.1f} s, the file holds {duration_s:.2f} s, which counts")
        else:
            notes.reject(f"truncated: {duration_s:.1f} s of {declared_s:.1f} s are there", _UPLOAD_AGAIN)
    elif scan_error is not None:
        notes.warn(f"reading stopped with an error after {duration_s:.1f} s: {scan_error}")
    if declared_s is None and duration_s > 0:
        notes.warn(f"no duration in the header; {duration_s:.2f} s found by reading all packets")


def _judge_pictures(decoded: _Decoded, tracks: list[Track], notes: _Notes) -> None:
    video = next((track for track in tracks if isinstance(track, VideoTrack)), None)
    if video is None:
        return
    tried = decoded.frames + decoded.errors
    damaged = decoded.corrupt + decoded.errors
    if decoded.frames == 0:
        detail = decoded.last_error or "no picture came out"
        notes.reject(f"the video ({video.codec}) cannot be decoded: {detail}", _EXPORT_AGAIN)
    elif decoded.errors > MAX_UNDECODABLE_SHARE * tried:
        notes.reject(f"{decoded.errors} of {tried} sampled pictures cannot be decoded", _UPLOAD_AGAIN)
    elif damaged:
        notes.warn(f"{damaged} of {tried} sampled pictures are damaged, which will be seen")
    if video.transfer != "sdr":
        notes.warn(f"HDR ({video.transfer.upper()}) picture; it is tone-mapped to SDR")
    if video.interlaced:
        notes.warn("interlaced picture; it is deinterlaced to one picture per field")


def _judge_sound(tracks: list[Track], notes: _Notes) -> None:
    video = next((track for track in tracks if isinstance(track, VideoTrack)), None)
    sounds = [track for track in tracks if isinstance(track, AudioTrack) and track.usable]
    if video is None:
        return
    if not sounds:
        notes.warn("no sound")
        return
    for track in sounds:
        if abs(track.duration_s - video.duration_s) > UNEVEN_TRACKS_S:
            notes.warn(
                f"audio track {track.index} lasts {track.duration_s:.2f} s, the picture {video.duration_s:.2f} s; "
                "the shorter one is padded"
            )
    for language in sorted({track.language for track in sounds}):
        alike = [track for track in sounds if track.language == language and track.role == "main" and not track.title]
        if len(alike) >= MONO_TRACKS_OF_ONE_PROGRAMME and all(track.channels == 1 for track in alike):
            notes.warn(
                f"{len(alike)} mono audio tracks in one language ({language}) look like the channels of one programme; "
                "each is carried as a track of its own. Deliver them as one stereo or 5.1 track"
            )
        elif len(alike) > 1:
            notes.warn(f"{len(alike)} audio tracks in one language ({language}) without a name; they are numbered")
