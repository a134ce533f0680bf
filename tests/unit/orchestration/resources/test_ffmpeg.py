import pytest

from orchestration.media.settings import MediaSettings
from orchestration.resources.ffmpeg import EXAMPLE, MediaTools, read_media_tools
from orchestration.settings import SettingsError


def test_every_encoder_setting_may_be_set_and_none_is_by_itself() -> None:
    assert set(MediaTools.model_fields) == set(MediaSettings.__struct_fields__)
    assert MediaTools().settings() == read_media_tools({}).settings() == MediaSettings()


def test_an_installation_says_how_its_masters_are_encoded() -> None:
    assert read_media_tools({"MATINEE_MEDIA": EXAMPLE}).settings() == MediaSettings(
        codecs=("h264", "av1"), protection="cenc"
    )
    assert read_media_tools({"MATINEE_MEDIA": '{"loudness_lufs": null}'}).settings().loudness_lufs is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("protection=cenc", "MATINEE_MEDIA"),
        ("[]", "object"),
        ('{"protection": "drm"}', r"drm.*\$\.protection"),
        ('{"max_rungs": "4"}', r"\$\.max_rungs"),
        ('{"max_rungs": 0}', r"\$\.max_rungs"),
        ('{"keyframe_interval_s": 0}', r"\$\.keyframe_interval_s"),
        ('{"preset": "turbo"}', r"turbo.*\$\.preset"),
        ('{"vp9_speed": 9}', r"\$\.vp9_speed"),
        ('{"bitrate": 1}', "bitrate, which is no encoder setting"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_media_tools({"MATINEE_MEDIA": value})


def test_segments_that_would_not_start_with_a_key_frame_are_refused() -> None:
    with pytest.raises(SettingsError, match="no multiple of keyframe_interval_s"):
        read_media_tools({"MATINEE_MEDIA": '{"segment_duration_s": 6.0}'})
