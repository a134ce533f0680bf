import sys
from pathlib import Path

import pytest

from orchestration.store import LocalStore, ObjectExists, ObjectMissing, StoreError


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def test_what_was_put_is_read(store: LocalStore) -> None:
    store.put_bytes("media/a/r/1/init.mp4", b"abc")
    assert store.read_bytes("media/a/r/1/init.mp4") == b"abc"
    assert store.size_bytes("media/a/r/1/init.mp4") == 3
    assert store.exists("media/a/r/1/init.mp4")


def test_a_published_object_is_never_edited(store: LocalStore) -> None:
    store.put_bytes("a/b", b"one")
    store.put_bytes("a/b", b"one")
    with pytest.raises(ObjectExists, match="new version beside it"):
        store.put_bytes("a/b", b"two")
    store.put_bytes("a/b", b"two", replace=True)
    assert store.read_bytes("a/b") == b"two"


def test_a_file_is_put_whole_and_only_once(store: LocalStore, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"one")
    store.put_file("a/b", source)
    source.unlink()
    assert store.read_bytes("a/b") == b"one"
    source.write_bytes(b"two")
    with pytest.raises(ObjectExists):
        store.put_file("a/b", source)


@pytest.fixture
def synced(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes | None]]:
    """What was brought to the disk: a file's content or a folder's name, each with what `a/CURRENT` was then."""
    seen: list[tuple[str, bytes | None]] = []
    pointer = store.root / "a" / "CURRENT"

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        what = path.name if path.is_dir() else path.read_text()
        seen.append((what, pointer.read_bytes() if pointer.exists() else None))

    monkeypatch.setattr("orchestration.store.os.fsync", fsync)
    return seen


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc; run on Linux")
def test_a_pointer_is_on_the_disk_before_it_is_named_and_its_name_before_put_returns(store, synced) -> None:
    store.put_bytes("a/CURRENT", b"one", replace=True)
    assert synced == [("store", None), (store.root.parent.name, None), ("one", None), ("a", b"one")]
    synced.clear()
    store.put_bytes("a/CURRENT", b"two", replace=True)
    assert synced == [("two", b"one"), ("a", b"two")]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc; run on Linux")
def test_a_file_is_on_the_disk_before_it_is_named(store, synced, tmp_path: Path) -> None:
    store.put_bytes("a/CURRENT", b"one", replace=True)
    synced.clear()
    source = tmp_path / "file"
    source.write_bytes(b"two")
    store.put_file("a/CURRENT", source, replace=True)
    assert synced == [("two", b"one"), ("a", b"two")]


def test_a_link_is_the_same_object(store: LocalStore) -> None:
    store.put_bytes("a/one", b"bytes")
    store.link("a/one", "b/two")
    store.link("a/one", "b/two")
    assert store.read_bytes("b/two") == b"bytes"
    assert store.local_path("a/one").stat().st_ino == store.local_path("b/two").stat().st_ino
    with pytest.raises(ObjectMissing):
        store.link("a/none", "b/three")


def test_keys_and_folders_are_sorted_and_hide_what_is_being_written(store: LocalStore) -> None:
    for key in ("media/b/x", "media/a/y", "media/a/x"):
        store.put_bytes(key, b"")
    store.local_path("media/a/.staged-zzz").write_bytes(b"half")
    assert list(store.keys("media/")) == ["media/a/x", "media/a/y", "media/b/x"]
    assert list(store.folders("media/")) == ["a", "b"]
    assert list(store.keys("nothing/")) == []


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../x", "a//b", "a/."])
def test_a_key_cannot_leave_the_store(store: LocalStore, key: str) -> None:
    with pytest.raises(StoreError, match="not a store key"):
        store.local_path(key)


def test_a_missing_object_is_named(store: LocalStore) -> None:
    with pytest.raises(ObjectMissing, match="a/none"):
        store.read_bytes("a/none")
    store.delete("a/none")
