"""Read CMAF init and media segments: only the boxes that the rules ask about.

A reader of our own, so that the checker shares no code with what made the files, and so that a box that ends too soon
is a fault with a name and not whatever a demuxer makes of it. Format: ISO/IEC 14496-12; encryption: ISO/IEC 23001-7.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from orchestration.media.check.codecs import codec_string, nal_length_bytes

HEAD_BYTES = 8192
"""How much of a sample is looked at: parameter sets and supplemental information before the first slice fit well."""

_CONTAINERS = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"edts", b"sinf", b"schi", b"moof", b"traf"}
)
_VISUAL_ENTRIES = frozenset({b"avc1", b"avc3", b"hvc1", b"hev1", b"vp08", b"vp09", b"av01", b"encv"})
_SOUND_ENTRIES = frozenset({b"mp4a", b"Opus", b"fLaC", b"ac-3", b"ec-3", b"enca"})
_VISUAL_HEADER_BYTES = 78
_SOUND_HEADER_BYTES = 28
_NON_SYNC = 0x10000


class BoxError(ValueError):
    """A file is not what its boxes promise; the message says where."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """One box: its payload is ``content[start:end]``."""

    kind: bytes
    offset: int
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class InitFacts:
    """What an init segment says about its one track.

    Attributes:
        codec: RFC 6381 string made from the configuration box.
        entry: Sample entry before encryption, such as ``avc1``.
        edit_start_ticks: Media time at which the presentation starts, from the edit list.
        nal_length_bytes: Size of the length before each NAL unit; 0 where the codec has none.
        transfer: Transfer characteristics code of the colour box; None without one.
        scheme: ``cenc`` or ``cbcs``; None when clear.
        default_kid: 32 hexadecimal digits; empty when clear.
        pssh_systems: System ids, 32 hexadecimal digits each.
        pssh_key_ids: Key ids that boxes of version 1 list, likewise.
    """

    kind: str
    codec: str
    entry: str
    timescale: int
    width: int
    height: int
    edit_start_ticks: int
    default_duration_ticks: int
    default_flags: int
    nal_length_bytes: int
    transfer: int | None
    scheme: str | None
    default_kid: str
    pssh_systems: tuple[str, ...]
    pssh_key_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """One movie fragment of a media segment.

    Attributes:
        decode_start_ticks: ``tfdt``.
        first_shown_ticks: Earliest presentation time of its samples, before the edit list.
        sync: Whether the first sample is flagged as one that can be decoded alone.
        first_sample: The beginning of the first sample.
        range_start, range_end: Bytes of the segment from the fragment's header to the end of its first sample.
    """

    decode_start_ticks: int
    duration_ticks: int
    first_shown_ticks: int
    sample_count: int
    sync: bool
    first_sample: bytes
    range_start: int
    range_end: int


def read_init(content: bytes) -> InitFacts:
    """The facts of an init segment.

    Raises:
        BoxError: A box is cut short or missing.
    """
    try:
        return _read_init(content)
    except (struct.error, IndexError) as fault:
        raise BoxError(f"a box holds less than its kind needs: {fault}") from fault


def _read_init(content: bytes) -> InitFacts:
    boxes = {box.kind: box for box in walk(content, 0, len(content))}
    for kind in (b"ftyp", b"moov", b"trak", b"mdhd", b"hdlr", b"stsd", b"trex"):
        if kind not in boxes:
            raise BoxError(f"has no {kind.decode()} box")
    handler = content[boxes[b"hdlr"].start + 8 : boxes[b"hdlr"].start + 12]
    entry = next(_children(content, boxes[b"stsd"].start + 8, boxes[b"stsd"].end), None)
    if entry is None:
        raise BoxError("its stsd box has no sample entry")
    inner = {box.kind: box for box in walk(content, _after_entry_header(entry), entry.end)}
    original = _payload(content, inner[b"frma"])[:4] if b"frma" in inner else entry.kind
    protected = b"schm" in inner and b"tenc" in inner
    duration_ticks, _size, flags = struct.unpack_from(">III", content, boxes[b"trex"].start + 12)
    configuration = {kind: _payload(content, box) for kind, box in inner.items()}
    visual = entry.kind in _VISUAL_ENTRIES
    width, height = struct.unpack_from(">HH", content, entry.start + 24) if visual else (0, 0)
    pssh = [_payload(content, box) for box in walk(content, 0, len(content)) if box.kind == b"pssh"]
    return InitFacts(
        kind={b"vide": "video", b"soun": "audio"}.get(handler, "text"),
        codec=codec_string(original, configuration),
        entry=original.decode("latin-1"),
        timescale=_timescale(content, boxes[b"mdhd"]),
        width=width,
        height=height,
        edit_start_ticks=_edit_start(content, boxes.get(b"elst")),
        default_duration_ticks=duration_ticks,
        default_flags=flags,
        nal_length_bytes=nal_length_bytes(original, configuration),
        transfer=_transfer(configuration.get(b"colr")),
        scheme=configuration[b"schm"][4:8].decode("latin-1") if protected else None,
        default_kid=configuration[b"tenc"][8:24].hex() if protected else "",
        pssh_systems=tuple(payload[4:20].hex() for payload in pssh),
        pssh_key_ids=tuple(key_id for payload in pssh for key_id in _key_ids(payload)),
    )


def read_segment(content: bytes, init: InitFacts) -> list[Fragment]:
    """The fragments of a media segment.

    Raises:
        BoxError: A box is cut short or missing, or samples lie outside the media data.
    """
    try:
        return _read_fragments(content, init)
    except (struct.error, IndexError) as fault:
        raise BoxError(f"a box holds less than its kind needs: {fault}") from fault


def _read_fragments(content: bytes, init: InitFacts) -> list[Fragment]:
    top = list(_children(content, 0, len(content)))
    fragments = []
    for number, box in enumerate(top):
        if box.kind != b"moof":
            continue
        media = top[number + 1] if number + 1 < len(top) else None
        if media is None or media.kind != b"mdat":
            raise BoxError(f"no mdat follows the moof at byte {box.offset}")
        fragments.append(_read_fragment(content, box, media, init))
    if not fragments:
        raise BoxError("has no movie fragment")
    return fragments


def walk(content: bytes, start: int, end: int) -> Iterator[Box]:
    """Every box between two offsets, parents before children.

    Raises:
        BoxError: A box ends beyond its parent.
    """
    for box in _children(content, start, end):
        yield box
        if box.kind in _CONTAINERS:
            yield from walk(content, box.start, box.end)


def _children(content: bytes, start: int, end: int) -> Iterator[Box]:
    position = start
    while position < end:
        if position + 8 > end:
            raise BoxError(f"ends in the header of a box at byte {position}")
        size, kind = struct.unpack_from(">I4s", content, position)
        header = 8
        if size == 1:
            if position + 16 > end:
                raise BoxError(f"ends in the header of a box at byte {position}")
            size, header = struct.unpack_from(">Q", content, position + 8)[0], 16
        elif size == 0:
            size = end - position
        if size < header or position + size > end:
            name = kind.decode("latin-1")
            raise BoxError(f"the {name} box at byte {position} promises {size} bytes, {end - position} are there")
        yield Box(kind=kind, offset=position, start=position + header, end=position + size)
        position += size


def _payload(content: bytes, box: Box) -> bytes:
    return content[box.start : box.end]


def _key_ids(pssh: bytes) -> list[str]:
    """The key ids of a ``pssh`` box of version 1 (ISO/IEC 23001-7, 8.1); version 0 lists none."""
    if pssh[0] == 0:
        return []
    count: int = struct.unpack_from(">I", pssh, 20)[0]
    return [pssh[start : start + 16].hex() for start in range(24, min(24 + 16 * count, len(pssh)), 16)]


def _after_entry_header(entry: Box) -> int:
    if entry.kind in _VISUAL_ENTRIES:
        return entry.start + _VISUAL_HEADER_BYTES
    if entry.kind in _SOUND_ENTRIES:
        return entry.start + _SOUND_HEADER_BYTES
    return entry.start + 8


def _timescale(content: bytes, mdhd: Box) -> int:
    offset = 20 if content[mdhd.start] == 1 else 12
    timescale: int = struct.unpack_from(">I", content, mdhd.start + offset)[0]
    if timescale == 0:
        raise BoxError("its timescale is 0")
    return timescale


def _edit_start(content: bytes, elst: Box | None) -> int:
    if elst is None or struct.unpack_from(">I", content, elst.start + 4)[0] == 0:
        return 0
    form, offset = (">q", 16) if content[elst.start] == 1 else (">i", 12)
    media_time: int = struct.unpack_from(form, content, elst.start + offset)[0]
    return max(media_time, 0)


def _transfer(colr: bytes | None) -> int | None:
    if colr is None or colr[:4] not in (b"nclx", b"nclc"):
        return None
    return int.from_bytes(colr[6:8], "big")


def _read_fragment(content: bytes, moof: Box, media: Box, init: InitFacts) -> Fragment:
    boxes = list(walk(content, moof.start, moof.end))
    tfhd = next((box for box in boxes if box.kind == b"tfhd"), None)
    tfdt = next((box for box in boxes if box.kind == b"tfdt"), None)
    runs = [box for box in boxes if box.kind == b"trun"]
    if tfhd is None or tfdt is None or not runs:
        raise BoxError(f"the moof at byte {moof.offset} lacks tfhd, tfdt or trun")
    form = ">Q" if content[tfdt.start] == 1 else ">I"
    decode_start: int = struct.unpack_from(form, content, tfdt.start + 4)[0]
    default_duration, default_size, default_flags = _defaults(content, tfhd, init)
    moment, shown, count, size_bytes = decode_start, None, 0, 0
    first_flags, first_size, data_start = 0, 0, media.start
    for run in runs:
        flags = int.from_bytes(content[run.start + 1 : run.start + 4], "big")
        samples: int = struct.unpack_from(">I", content, run.start + 4)[0]
        position = run.start + 8
        offset = 0
        if flags & 0x1:
            offset = struct.unpack_from(">i", content, position)[0]
            position += 4
        run_first_flags = None
        if flags & 0x4:
            run_first_flags = struct.unpack_from(">I", content, position)[0]
            position += 4
        columns = [bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800)]
        row_bytes = 4 * sum(columns)
        if position + row_bytes * samples > run.end:
            raise BoxError(f"the trun at byte {run.offset} lists {samples} samples and holds fewer")
        signed = content[run.start] == 1
        for number in range(samples):
            row = iter(struct.unpack_from(f">{row_bytes // 4}I", content, position + number * row_bytes))
            duration = next(row) if columns[0] else default_duration
            size = next(row) if columns[1] else default_size
            sample_flags = next(row) if columns[2] else default_flags
            composition = next(row) if columns[3] else 0
            if signed and composition >= 1 << 31:
                composition -= 1 << 32
            if count == 0:
                first_flags = sample_flags if run_first_flags is None or columns[2] else run_first_flags
                first_size = size
                data_start = moof.offset + offset if flags & 0x1 else media.start
            shown = moment + composition if shown is None else min(shown, moment + composition)
            moment += duration
            size_bytes += size
            count += 1
    if shown is None:
        raise BoxError(f"the moof at byte {moof.offset} has no sample")
    if data_start < media.start or data_start + size_bytes > media.end:
        raise BoxError(f"samples of the moof at byte {moof.offset} lie outside its mdat")
    return Fragment(
        decode_start_ticks=decode_start,
        duration_ticks=moment - decode_start,
        first_shown_ticks=shown,
        sample_count=count,
        sync=not first_flags & _NON_SYNC,
        first_sample=content[data_start : data_start + min(first_size, HEAD_BYTES)],
        range_start=moof.offset,
        range_end=data_start + first_size,
    )


def _defaults(content: bytes, tfhd: Box, init: InitFacts) -> tuple[int, int, int]:
    """Default duration, size and flags of a fragment's samples."""
    flags = int.from_bytes(content[tfhd.start + 1 : tfhd.start + 4], "big")
    position = tfhd.start + 8
    position += 8 if flags & 0x1 else 0
    position += 4 if flags & 0x2 else 0
    values = [init.default_duration_ticks, 0, init.default_flags]
    for number, bit in enumerate((0x8, 0x10, 0x20)):
        if flags & bit:
            values[number] = struct.unpack_from(">I", content, position)[0]
            position += 4
    return values[0], values[1], values[2]
