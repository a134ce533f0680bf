import pytest

from playback_api.domain.counters import Counters
from playback_api.domain.profiles.services import ProfileService, strictest_age
from playback_api.profile import Preferences, ProfileError, ViewerProfile


class BrokenStore:
    def profile(self, viewer_id):
        raise ProfileError("locked")

    def resume(self, viewer_id, title_id):
        raise ProfileError("locked")

    def close(self):
        pass


def test_a_store_that_fails_costs_the_profile_and_is_counted():
    counters = Counters()
    service = ProfileService(BrokenStore, counters)
    service.open()
    assert service.profile("v-1").recent == []
    assert service.resume_position_s("v-1", "t") == 0.0
    assert counters.value("profile_read_failures") == 2


@pytest.mark.parametrize(
    ("requested", "chosen", "limit"), [(None, None, None), (12, None, 12), (None, 7, 7), (12, 7, 7), (7, 12, 7)]
)
def test_the_stricter_limit_holds(requested, chosen, limit):
    profile = ViewerProfile(
        viewer_id="v", resume=[], recent=[], watch_list=[], preferences=Preferences(maturity_age_limit=chosen)
    )
    assert strictest_age(requested, profile) == limit
