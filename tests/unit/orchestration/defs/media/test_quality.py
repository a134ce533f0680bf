from __future__ import annotations

import base64
from pathlib import Path

import dagster as dg
import msgspec
import pytest

from orchestration import partitions
from orchestration.defs.media import encoding, intake, quality
from orchestration.media.handover import read_delivered, read_ladder, write_delivered
from orchestration.media.ladder import Ladder
from orchestration.media.process import run_program
from orchestration.media.programs import find_ffmpeg
from orchestration.media.reference_ladder import foretold_rungs, rung_saving
from orchestration.resources.ffmpeg import MediaTools
from orchestration.resources.storage import MediaStorage
from orchestration.settings import Settings, read_settings
from orchestration.store import LocalStore

TITLE = "film"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    read = read_settings({"MATINEE_HOME": str(tmp_path_factory.mktemp("home"))})
    read.masters_folder.mkdir(parents=True)
    make_film(read.masters_folder / "film.mp4")
    return read


def make_film(path: Path) -> None:
    """Grain over a picture: what costs bits and differs in quality."""
    picture = "testsrc2=s=640x360:r=25:d=3,noise=alls=12:allf=t:all_seed=5"
    command = [
        find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast",
        "-crf", "12", "-pix_fmt", "yuv420p", str(path),
    ]  # fmt: skip
    run_program(command, timeout_s=60)


def materialize(settings: Settings, *, only_quality: bool = False, **tools: object) -> dg.ExecuteInProcessResult:
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions(partitions.title.name, [TITLE])
    probe, ladder = intake.build_assets(settings)
    renditions = encoding.build_assets(settings)[0]
    measured = quality.build_assets(settings)
    return dg.materialize(
        [probe, ladder, renditions, *measured],
        selection=measured if only_quality else None,
        instance=instance,
        partition_key=TITLE,
        resources={
            "storage": MediaStorage(root=str(settings.store_folder)),
            "media_tools": MediaTools(preset="ultrafast", threads=1, max_rungs=3, **tools),
        },
    )


def metadata_of(result: dg.ExecuteInProcessResult, name: str) -> dict:
    [event] = [event for event in result.get_asset_materialization_events() if event.asset_key.path[-1] == name]
    return {key: item.value for key, item in event.materialization.metadata.items()}


def table_of(markdown: str) -> list[dict[str, str]]:
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in markdown.splitlines())
    return [dict(zip(head, row, strict=True)) for row in rows]


def ladder_ids(ladder: Ladder) -> set[str]:
    return {rung.rendition_id for rung in ladder.video}


def test_a_title_gets_a_ladder_of_its_own_that_delivers_what_it_aims_at(settings: Settings) -> None:
    result = materialize(settings)
    store = LocalStore(settings.store_folder)
    ladder = read_ladder(store, TITLE)
    shown = metadata_of(result, "quality")
    assert shown["measured_rungs"] == len(ladder.video) > 1
    assert all(rung.target_vmaf is not None for rung in ladder.video)
    assert all(f"| {rung.rung} | {rung.width}x{rung.height} |" in shown["rungs"] for rung in ladder.video)
    png = shown["hull"].partition("base64,")[2].rstrip(")")
    assert base64.b64decode(png).startswith(b"\x89PNG")
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks == {"on_target": True, "xpsnr_grows": True}
    assert "XPSNR" in shown["rungs"]
    assert all(item.xpsnr_db for item in read_delivered(store, TITLE))
    rows = table_of(shown["rungs"])
    assert [row["rung"] for row in rows] == [rung.rung for rung in ladder.video]
    delivered = {item.rung: item for item in read_delivered(store, TITLE) if item.rendition_id in ladder_ids(ladder)}
    reference = foretold_rungs(ladder.points)
    for row in rows:
        item = delivered[row["rung"]]
        assert item.bitrate_bps is not None
        assert row["kbit/s"] == f"{item.bitrate_bps / 1000:.0f}"
        assert row["VMAF"] == f"{item.vmaf:.1f}"
        saving = rung_saving(reference, item.bitrate_bps, item.vmaf)
        assert row["saving against Apple's ladder"] == ("" if saving is None else f"{saving:.0%}")
    assert any(row["saving against Apple's ladder"] for row in rows)
    cpu_s = [float(row["CPU s to encode, shared by pixels"]) for row in rows]
    assert min(cpu_s) > 0
    assert sum(cpu_s) == pytest.approx(shown["encode_cpu_s"], abs=0.05 * len(cpu_s))
    assert shown["encode_cpu_s"] <= metadata_of(result, "renditions")["encode_cpu_s"] + 0.01
    assert metadata_of(result, "renditions")["verification_cpu_s"] > 0
    assert metadata_of(result, "ladder")["probing_cpu_s"] > 0

    again = materialize(settings)
    assert metadata_of(again, "renditions")["encoded_rungs"] == 0
    assert metadata_of(again, "renditions")["verification_cpu_s"] == 0
    assert metadata_of(again, "quality")["rungs"] == shown["rungs"]
    assert read_ladder(store, TITLE) == ladder


def test_a_rung_off_its_target_fails_the_check(settings: Settings) -> None:
    store = LocalStore(settings.store_folder)
    materialize(settings)
    ladder, known = read_ladder(store, TITLE), read_delivered(store, TITLE)
    rung = ladder.video[-1]
    worse = [
        msgspec.structs.replace(item, vmaf=item.vmaf - 5) if item.rendition_id == rung.rendition_id else item
        for item in known
    ]
    assert quality.missed_rungs(ladder, known) == []
    assert quality.missed_rungs(ladder, worse) == [rung.rung]
    write_delivered(store, TITLE, worse)
    measured = materialize(settings, only_quality=True)
    write_delivered(store, TITLE, known)
    checks = {check.check_name: check.passed for check in measured.get_asset_check_evaluations()}
    assert checks == {"on_target": False, "xpsnr_grows": True}
    top = ladder.video[0]
    blurred = [
        msgspec.structs.replace(item, xpsnr_db=20.0) if item.rendition_id == top.rendition_id else item
        for item in known
    ]
    in_order = [next(item for item in blurred if item.rendition_id == rung.rendition_id) for rung in ladder.video]
    assert quality.overrated_rungs(ladder, in_order) == [top.rung]


def test_quality_that_nobody_asked_for_is_not_measured(settings: Settings) -> None:
    result = materialize(settings, ladder="fixed", quality_frames=0)
    shown = metadata_of(result, "quality")
    assert shown["measured_rungs"] == 0
    assert [row["VMAF"] for row in table_of(shown["rungs"])] == ["", ""]
    assert all(float(row["kbit/s"]) > 0 for row in table_of(shown["rungs"]))
    assert result.get_asset_check_evaluations()[0].passed


def test_a_fixed_ladder_can_be_measured_too(settings: Settings) -> None:
    result = materialize(settings, ladder="fixed", quality_frames=12)
    shown = metadata_of(result, "quality")
    assert shown["measured_rungs"] == 2
    assert shown["saving_against_apple_ladder"] == "unknown"
