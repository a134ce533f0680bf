import gc
from collections.abc import Iterator

import pytest

from orchestration.demo.loading import without_garbage_collection


@pytest.fixture(autouse=True)
def _thaw() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_loaded_is_not_looked_at_and_what_comes_after_is() -> None:
    with without_garbage_collection():
        assert not gc.isenabled()
        loaded: list[object] = []
    later: list[object] = []
    assert gc.isenabled()
    looked_at = {id(item) for item in gc.get_objects()}
    assert id(loaded) not in looked_at
    assert id(later) in looked_at


def test_collecting_goes_on_after_loading_failed() -> None:
    with pytest.raises(ImportError), without_garbage_collection():
        raise ImportError
    assert gc.isenabled()
