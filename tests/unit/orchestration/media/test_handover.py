from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.media.errors import MasterMissing
from orchestration.media.handover import read_loudness, write_loudness
from orchestration.store import LocalStore

SHA256 = "a" * 64


def test_a_record_that_is_not_there_is_none_and_one_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert read_loudness(store, "film", SHA256) == []
    write_loudness(store, "film", SHA256, [])
    [key] = store.keys("ingest/")
    store.put_bytes(key, b'[{"rendition_id": ', replace=True)
    with pytest.raises(MasterMissing, match=r"cannot be read .* materialise media/renditions again"):
        read_loudness(store, "film", SHA256)
