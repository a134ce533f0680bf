import pytest

from playback_api.resilience import LoadShedder, OverloadedError, Priority


def fill(shedder, priority):
    while shedder.try_admit(priority):
        pass
    return shedder.in_flight


def test_sheds_in_order_of_priority():
    shedder = LoadShedder(100)
    full_at = [fill(shedder, priority) for priority in sorted(Priority, reverse=True)]
    assert full_at == [50, 65, 80, 90, 100]
    assert not shedder.try_admit(Priority.PLAY)


def test_plays_pass_while_prefetches_press():
    shedder = LoadShedder(10)
    for _ in range(120):
        shedder.try_admit(Priority.PREFETCH)
    assert shedder.shed[Priority.PREFETCH] == 115
    assert all(shedder.try_admit(Priority.PLAY) for _ in range(5))


def test_place_comes_back_after_an_error():
    shedder = LoadShedder(1)
    with pytest.raises(RuntimeError), shedder.admit(Priority.HOME):
        raise RuntimeError
    with (
        shedder.admit(Priority.HOME),
        pytest.raises(OverloadedError, match="no room for beats") as caught,
        shedder.admit(Priority.BEATS),
    ):
        pytest.fail("a second place was given")
    assert caught.value.retry_after_s == 1.0
    assert shedder.in_flight == 0
