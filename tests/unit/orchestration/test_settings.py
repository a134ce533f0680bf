import datetime as dt
from pathlib import Path

import pytest

from orchestration.settings import SettingsError, read_settings


def test_the_home_folder_holds_everything_by_default(tmp_path: Path) -> None:
    settings = read_settings({"MATINEE_HOME": str(tmp_path)})
    assert settings.masters_folder == tmp_path / "masters"
    assert settings.store_folder == tmp_path / "store"
    assert settings.control_url == "http://127.0.0.1:8801"
    assert set(settings.edge_urls) == {"eu-north-1", "eu-north-2", "sa-east-1", "ap-south-1"}


def test_the_environment_wins_over_the_world_file_and_that_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "world.toml").write_text(
        'control_url = "http://127.0.0.1:1"\ncollector_url = "http://127.0.0.1:2"\n'
        '[edge_urls]\neu-north-1 = "http://127.0.0.1:3"\n'
    )
    settings = read_settings({"MATINEE_HOME": str(tmp_path), "MATINEE_CONTROL_URL": "http://127.0.0.1:9"})
    assert settings.control_url == "http://127.0.0.1:9"
    assert settings.collector_url == "http://127.0.0.1:2"
    assert settings.edge_urls["eu-north-1"] == "http://127.0.0.1:3"
    assert settings.edge_urls["sa-east-1"] == "http://127.0.0.1:8813"


def test_a_day_is_read_or_named_as_wrong(tmp_path: Path) -> None:
    home = {"MATINEE_HOME": str(tmp_path)}
    assert read_settings({**home, "MATINEE_FIRST_EVENT_DAY": "2026-02-03"}).first_event_day == dt.date(2026, 2, 3)
    with pytest.raises(SettingsError, match="MATINEE_FIRST_EVENT_DAY is 'soon'"):
        read_settings({**home, "MATINEE_FIRST_EVENT_DAY": "soon"})


def test_a_broken_world_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "world.toml").write_text("not toml at all = = =")
    with pytest.raises(SettingsError, match="delete it"):
        read_settings({"MATINEE_HOME": str(tmp_path)})
