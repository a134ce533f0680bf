"""The reading half of the event log: any number of readers, beside the writers, without a lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from playback_api.events.errors import CorruptRecord
from playback_api.events.framing import MAGIC, LogRecord, find_record, records_from
from playback_api.events.log_writer import segment_numbers, segment_path


class SegmentLogReader:
    """Reads what writers have stored.

    Args:
        root: Folder of all writers' folders; it need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def writers(self) -> list[str]:
        """Names of all writers that have stored something, sorted."""
        if not self.root.is_dir():
            return []
        return sorted(folder.name for folder in self.root.iterdir() if folder.is_dir() and segment_numbers(folder))

    def segments(self, writer: str) -> list[int]:
        """The segments of a writer, oldest first; all but the last are closed."""
        return segment_numbers(self.root / writer)

    def read(self, writer: str, segment: int, from_offset: int = 0) -> Iterator[tuple[LogRecord, int]]:
        """Records of a segment from an offset on, each with the offset after it, which is where to go on next time.

        The newest segment may end in a torn tail (its writer is at work, or crashed): reading stops before it.

        Args:
            writer: Name of the writer.
            segment: Number of the segment.
            from_offset: 0, or a remembered offset. One beyond the end of the file is no error: the writer cut off an
                unacknowledged commit and went on in the next segment.

        Raises:
            CorruptRecord: After the records before it: stored bytes are damaged. ``resume_offset`` says where reading
                can go on, if the caller accepts the loss.
        """
        path = segment_path(self.root, writer, segment)
        is_newest = segment == max(self.segments(writer), default=segment)
        content = path.read_bytes()
        if not content.startswith(MAGIC):
            if len(content) < len(MAGIC) and MAGIC.startswith(content):
                return  # the writer crashed before the first commit, or is just about to make it
            raise CorruptRecord(path, 0, find_record(content, 0), "no magic header")
        offset = max(from_offset, len(MAGIC))
        for record, after in records_from(content, offset):
            offset = after
            yield record, after
        if offset >= len(content):
            return
        resume_offset = find_record(content, offset + 1)
        if resume_offset is not None or not is_newest:
            raise CorruptRecord(path, offset, resume_offset, "length, kind or checksum is wrong")
