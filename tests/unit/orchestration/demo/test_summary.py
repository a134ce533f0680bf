import io
import json
from pathlib import Path

from rich.console import Console

from orchestration.demo.summary import Comparison, DemoSummary, ModelLine, StageLine, print_summary, write_summary


def _summary() -> DemoSummary:
    return DemoSummary(
        stages=[StageLine(name="masters", count=8, unit="titles", seconds=40.2)],
        titles_published=8,
        quarantined=[{"file": "broken.mp4", "reason": "not a media container"}],
        sessions_played=2,
        beats_accepted=20,
        beats_in_lake=20,
        edge_hit_ratio=Comparison(pull_only=0.5, placed=0.7),
        startup_s=Comparison(pull_only=0.9, placed=0.4),
        model=ModelLine(name="top-n", version="3", metric="ndcg_at_10", value=0.15),
        snapshot_id="20261122",
    )


def test_the_json_has_what_was_promised(tmp_path: Path) -> None:
    write_summary(_summary(), tmp_path / "out" / "summary.json")
    read = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert read["stages"][0] == {"name": "masters", "count": 8, "unit": "titles", "seconds": 40.2, "note": ""}
    for key in ("titles_published", "quarantined", "sessions_played", "beats_accepted", "beats_in_lake", "snapshot_id"):
        assert key in read
    for key in ("edge_hit_ratio", "startup_s"):
        assert set(read[key]) == {"pull_only", "placed"}
    assert {"name", "version", "metric"} <= set(read["model"])


def test_the_printed_summary_names_what_matters() -> None:
    screen = io.StringIO()
    print_summary(_summary(), Console(file=screen, width=150))
    text = screen.getvalue()
    for expected in ("masters", "broken.mp4", "not a media container", "70.0%", "0.400 s", "top-n", "20261122"):
        assert expected in text
