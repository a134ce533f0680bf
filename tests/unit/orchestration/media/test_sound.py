from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import msgspec
import pytest

from orchestration.media.errors import EncodeTruncated
from orchestration.media.loudness import HIGHEST_PEAK_DBTP, Loudness, loudness_warning, measure_loudness
from orchestration.media.probe import probe_file
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.report import AudioTrack
from orchestration.media.settings import MediaSettings
from orchestration.media.sound import EncodedSound, encode_sound, plan_sound

SHA = "a" * 64
SETTINGS = MediaSettings()
FILM_S = 4.0
BURSTS = "aevalsrc='0.9*sin(2*PI*990*t)*lt(mod(t,1),0.02)+0.004*sin(2*PI*330*t)':c=mono:s=48000:d=4"

CLICKS = "aevalsrc='0.5*sin(2*PI*990*t)*lt(mod(t,2),0.002)+0.02*sin(2*PI*330*t)':c=mono:s=48000:d=4"


def track(index: int, language: str = "eng", **known) -> AudioTrack:
    return AudioTrack(
        **{
            "index": index, "codec": "aac", "channels": 2, "sample_rate_hz": 48000, "language": language,
            "usable": True, "start_s": 0.0, "duration_s": FILM_S, **known,
        }
    )  # fmt: skip


def make_sound(path: Path, *sources: str, options: tuple[str, ...] = ()) -> Path:
    """A film of four seconds with a sound track for each source."""
    command = [find_ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", f"color=s=64x36:r=25:d={FILM_S}"]
    for source in sources:
        command += ["-f", "lavfi", "-i", source]
    command += [word for number in range(len(sources) + 1) for word in ("-map", str(number))]
    run_program(
        [*command, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "flac", *options, str(path)], timeout_s=60
    )
    return path


def encode(master: Path, folder: Path, settings: MediaSettings = SETTINGS, **options) -> dict[str, Path]:
    """Every rendition of a master's sound, by rung."""
    return {rung: path for rung, (path, _) in encode_with_result(master, folder, settings, **options).items()}


def encode_with_result(
    master: Path, folder: Path, settings: MediaSettings = SETTINGS, **options
) -> dict[str, tuple[Path, EncodedSound]]:
    report = probe_file(master)
    rungs = plan_sound(report.audio, SHA, settings, **options)
    encoded = encode_sound(master, report, rungs, FILM_S, settings, folder)
    assert encoded.damage == 0
    return {rung.rung: (encoded.files[rung.rendition_id], encoded) for rung in rungs}


def loudness_of(path: Path) -> Loudness:
    return measure_loudness(path, {"all": "[0:0]anull"}, timeout_s=60)["all"]


@pytest.mark.parametrize(
    ("source", "rungs"),
    [
        ("sine=f=440:b=4:r=44100:d=4", ["audio-und"]),
        ("aevalsrc='0.01*sin(2*PI*300*t)|0.02*sin(2*PI*500*t)':s=48000:d=4", ["audio-und"]),
        (
            "aevalsrc='0.5*sin(2*PI*196*t)|0.2*sin(2*PI*247*t)|0.2*sin(2*PI*294*t)|0.3*sin(2*PI*49*t)"
            "|0.1*sin(2*PI*392*t)|0.1*sin(2*PI*494*t)':c=5.1:s=48000:d=4",
            ["audio-und", "audio-und-surround"],
        ),
        ("anoisesrc=d=4:c=pink:a=1:r=48000:seed=7", ["audio-und"]),
    ],
    ids=["mono", "quiet stereo", "5.1", "loud noise"],
)
def test_every_rendition_comes_out_at_the_target_loudness(tmp_path: Path, source: str, rungs: list[str]) -> None:
    files = encode(make_sound(tmp_path / "film.mkv", source), tmp_path)
    assert list(files) == rungs
    for path in files.values():
        assert loudness_of(path).integrated_lufs == pytest.approx(-23, abs=0.5)


def test_peaks_that_the_gain_would_clip_are_held_and_the_loudness_is_reached_all_the_same(tmp_path: Path) -> None:
    master = make_sound(tmp_path / "film.mkv", BURSTS)
    before = loudness_of_track(master, 1)
    assert before.true_peak_dbtp + (-15 - (before.integrated_lufs or 0)) > 0
    settings = msgspec.structs.replace(SETTINGS, loudness_lufs=-15.0)
    ((path, encoded),) = encode_with_result(master, tmp_path, settings).values()
    assert [found.limited for found in encoded.loudness] == [True]
    after = loudness_of(path)
    assert after.integrated_lufs == pytest.approx(-15, abs=0.5)
    assert after.true_peak_dbtp <= 0.0
    assert encoded.loudness[0].delivered_lufs == after.integrated_lufs
    assert encoded.loudness[0].true_peak_dbtp == after.true_peak_dbtp
    assert encoded.loudness[0].measured_lufs == pytest.approx(before.integrated_lufs, abs=0.1)


def loudness_of_track(path: Path, index: int) -> Loudness:
    return measure_loudness(path, {"track": f"[0:{index}]anull"}, timeout_s=60)["track"]


def test_silence_stays_silent_and_hiss_stays_low(tmp_path: Path) -> None:
    master = make_sound(
        tmp_path / "film.mkv", "anullsrc=r=48000:cl=stereo:d=4", "anoisesrc=d=4:c=white:a=0.001:r=48000:seed=3",
        options=("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=swe"),
    )  # fmt: skip
    files = encode(master, tmp_path)
    assert loudness_of(files["audio-en"]) == Loudness(integrated_lufs=None, true_peak_dbtp=-float("inf"))
    hiss = loudness_of(files["audio-sv"])
    assert hiss.integrated_lufs is not None
    assert hiss.integrated_lufs < -35


@pytest.mark.parametrize(
    ("source", "limited"),
    [
        ("sine=f=440:r=48000:d=4,volume=-32dB", False),  # about -54 LUFS, with room above its peaks
        (f"{CLICKS},volume=-16dB", True),  # likewise, with peaks that the gain would clip
        ("sine=f=440:r=48000:d=4,volume=-28dB,volume='if(lt(t,2),1,0.1)':eval=frame", False),  # half under the gate
    ],
    ids=["low", "low with peaks", "low and partly under the gate"],
)
def test_a_very_quiet_programme_reaches_the_loudness_and_its_peaks_stay_under_the_limit(
    tmp_path: Path, source: str, limited: bool
) -> None:
    master = make_sound(tmp_path / "film.mkv", source)
    quiet = loudness_of_track(master, 1).integrated_lufs
    assert quiet is not None
    assert -58 < quiet < -47
    ((path, encoded),) = encode_with_result(master, tmp_path).values()
    delivered = loudness_of(path)
    assert delivered.integrated_lufs == pytest.approx(-23, abs=0.5)
    assert delivered.true_peak_dbtp <= HIGHEST_PEAK_DBTP
    assert [found.limited for found in encoded.loudness] == [limited]
    assert loudness_warning(encoded.loudness[0], -23.0) is None


def test_stereo_is_mixed_down_by_the_standard(tmp_path: Path) -> None:
    """One channel sounds at a time: the centre reaches both sides 3 dB lower, a surround one side; the LFE neither."""
    settings = msgspec.structs.replace(SETTINGS, loudness_lufs=None)
    levels = {}
    for name, channel in (("left", 0), ("centre", 2), ("lfe", 3), ("left surround", 4)):
        channels = "|".join("0.2*sin(2*PI*440*t)" if number == channel else "0" for number in range(6))
        master = make_sound(tmp_path / f"{channel}.mkv", f"aevalsrc='{channels}':c=5.1:s=48000:d=4")
        levels[name] = loudness_of(encode(master, tmp_path, settings)["audio-und"]).integrated_lufs
    assert levels["centre"] == pytest.approx(levels["left"], abs=0.3)
    assert levels["left surround"] == pytest.approx(levels["left"] - 3, abs=0.3)
    assert levels["lfe"] is None


def test_opus_stands_beside_aac_where_it_is_wanted(tmp_path: Path) -> None:
    files = encode(make_sound(tmp_path / "film.mkv", "sine=r=48000:d=4"), tmp_path, with_opus=True)
    assert list(files) == ["audio-und", "audio-und-opus"]
    for rung, codec in (("audio-und", "aac"), ("audio-und-opus", "opus")):
        with av.open(str(files[rung])) as container:
            assert container.streams.audio[0].codec_context.codec.canonical_name == codec
            assert container.duration / av.time_base == pytest.approx(FILM_S, abs=0.05)
        assert loudness_of(files[rung]).integrated_lufs == pytest.approx(-23, abs=0.5)


def test_two_encodes_give_the_same_bytes(tmp_path: Path) -> None:
    master = make_sound(tmp_path / "film.mkv", "anoisesrc=d=4:c=pink:a=0.5:r=48000:seed=7")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (encode(master, tmp_path / name, with_opus=True) for name in "ab")
    assert {rung: path.read_bytes() for rung, path in first.items()} == {
        rung: path.read_bytes() for rung, path in second.items()
    }


def test_late_and_short_sound_is_padded_and_long_sound_is_cut(tmp_path: Path, make_film: Callable[..., Path]) -> None:
    master = make_sound(
        tmp_path / "film.mkv", "sine=r=48000:d=2", "sine=r=48000:d=9",
        options=("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=swe"),
    )  # fmt: skip
    for path in encode(master, tmp_path).values():
        with av.open(str(path)) as container:
            assert container.duration / av.time_base == pytest.approx(FILM_S, abs=0.05)


def test_sound_that_ends_before_the_probe_says_is_an_error(tmp_path: Path) -> None:
    master = make_sound(tmp_path / "film.mkv", "sine=r=48000:d=2")
    report = probe_file(master)
    believed = msgspec.structs.replace(report, tracks=[track(1, duration_s=FILM_S, start_s=0.0)])
    rungs = plan_sound(believed.audio, SHA, SETTINGS)
    with pytest.raises(EncodeTruncated, match=r"audio-en holds 2\.\d+ s of 4\.00 s"):
        encode_sound(master, believed, rungs, FILM_S, SETTINGS, tmp_path)


def test_every_track_is_kept_under_a_name_of_its_own() -> None:
    tracks = [
        track(1, "deu"),
        track(2, "eng", default=True, channels=6),
        track(3, "eng", role="commentary", title="With the director"),
        track(4, "eng", role="commentary"),
        track(5, "eng"),
    ]
    rungs = plan_sound(tracks, SHA, SETTINGS)
    assert [(rung.rung, rung.track_index, rung.name) for rung in rungs] == [
        ("audio-en", 2, "en"),
        ("audio-de", 1, "de"),
        ("audio-en-2", 5, "en (2)"),
        ("audio-en-commentary", 3, "With the director"),
        ("audio-en-commentary-2", 4, "en (commentary)"),
        ("audio-en-surround", 2, "en"),
    ]
    assert len({rung.rendition_id for rung in rungs}) == len(rungs)


def test_surround_and_opus_can_be_left_out() -> None:
    settings = msgspec.structs.replace(SETTINGS, surround=False, opus=False)
    rungs = plan_sound([track(1, channels=8)], SHA, settings, with_opus=True)
    assert [rung.rung for rung in rungs] == ["audio-en"]


def test_ids_follow_the_loudness() -> None:
    louder = msgspec.structs.replace(SETTINGS, loudness_lufs=-16.0)
    assert plan_sound([track(1)], SHA, SETTINGS)[0].rendition_id != plan_sound([track(1)], SHA, louder)[0].rendition_id
