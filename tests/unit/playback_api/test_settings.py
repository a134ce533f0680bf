import pytest

from playback_api.settings import ControlSettings, ServingSettingsError, read_serving_settings

CONTROL = {
    "MATINEE_STORE_FOLDER": "/store",
    "MATINEE_PROFILE_PATH": "/profile.sqlite",
    "MATINEE_EVENT_LOG_FOLDER": "/events",
    "MATINEE_SECRET": "secret",
}


def test_addresses_are_read_as_a_table():
    settings = read_serving_settings(
        ControlSettings,
        {**CONTROL, "MATINEE_EDGE_URLS": '{"north-1": "http://127.0.0.1:9"}', "MATINEE_BEAT_INTERVAL_S": "5"},
    )
    assert settings.edge_urls == {"north-1": "http://127.0.0.1:9"}
    assert settings.beat_interval_s == 5.0
    assert settings.origin_url is None


@pytest.mark.parametrize("value", ["north-1=http://127.0.0.1:9", '{"north-1": 9}', "[]", ""])
def test_what_is_no_table_of_addresses_is_refused_by_name(value):
    with pytest.raises(ServingSettingsError, match=r"edge_urls|MATINEE_EDGE_URLS"):
        read_serving_settings(ControlSettings, {**CONTROL, "MATINEE_EDGE_URLS": value})


def test_a_missing_setting_is_named():
    with pytest.raises(ServingSettingsError, match="secret"):
        read_serving_settings(ControlSettings, {name: CONTROL[name] for name in CONTROL if name != "MATINEE_SECRET"})
