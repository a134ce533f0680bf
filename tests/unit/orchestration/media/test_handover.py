from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.media.errors import MasterMissing, RecordDamaged
from orchestration.media.handover import master_file_of, read_ladder, read_loudness, write_loudness
from orchestration.store import LocalStore

SHA256 = "a" * 64


def test_a_record_that_is_not_there_is_none_and_one_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert read_loudness(store, "film", SHA256) == []
    write_loudness(store, "film", SHA256, [])
    [key] = store.keys("ingest/")
    store.put_bytes(key, b'[{"rendition_id": ', replace=True)
    with pytest.raises(RecordDamaged, match=r"cannot be read .* materialise media/renditions again"):
        read_loudness(store, "film", SHA256)


@pytest.mark.parametrize("content", [b"", b"../../media", b"\xff" * 64])
def test_a_damaged_pointer_to_a_master_is_told_and_hides_no_other_title(tmp_path: Path, content: bytes) -> None:
    store = LocalStore(tmp_path)
    store.put_bytes("ingest/film/CURRENT", content)
    with pytest.raises(RecordDamaged, match=r"ingest/film/CURRENT holds no sha256 .* materialise media/probe"):
        read_ladder(store, "film")
    assert master_file_of(store, "film") is None


def test_a_title_that_was_never_probed_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(MasterMissing, match="materialise media/probe"):
        read_ladder(LocalStore(tmp_path), "film")
