import dataclasses
import datetime as dt

import msgspec
import pytest

from playback_api.snapshot import (
    ArmRecord,
    ExperimentRecord,
    PopularTitle,
    Topology,
    find_faults,
    load_snapshot,
    write_snapshot,
)
from playback_api.snapshot.testing import NOON, make_content, make_title


def faults_of(tmp_path, **changes):
    content = dataclasses.replace(make_content(title_count=3), **changes)
    manifest = write_snapshot(tmp_path, content, clock=lambda: NOON, lifetime=dt.timedelta(days=1))
    return find_faults(load_snapshot(tmp_path, manifest.snapshot_id))


def without_origin(topology):
    return Topology(regions=topology.regions, pathways=[p for p in topology.pathways if p.region_id])


def experiment(experiment_id, *, shares=(0.5, 0.5), names=("a", "b"), controls=1, last_day=None, **settings):
    arms = [
        ArmRecord(arm=name, share=share, is_control=number < controls, **settings)
        for number, (name, share) in enumerate(zip(names, shares, strict=True))
    ]
    return ExperimentRecord(experiment_id=experiment_id, arms=arms, last_day=last_day)


def test_an_experiment_that_ended_stands_in_nobodys_way(tmp_path):
    ended = experiment("e", ranking="model", last_day=NOON.date() - dt.timedelta(days=1))
    assert faults_of(tmp_path, experiments=[ended, experiment("f", ranking="popularity")]) == []


def test_a_fit_snapshot_has_no_fault(tmp_path):
    assert faults_of(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"titles": [], "placement": {}}, "no title is playable"),
        ({"titles": [make_title(1), make_title(1)]}, "more than once"),
        ({"titles": [msgspec.structs.replace(make_title(1), rungs=[])]}, "no video rung"),
        ({"titles": [msgspec.structs.replace(make_title(1), hls_path="")]}, "hls_path"),
        ({"titles": [msgspec.structs.replace(make_title(1), dash_path="/media/x.mpd")]}, "dash_path"),
        ({"titles": [msgspec.structs.replace(make_title(1), duration_s=0.0)]}, "duration"),
        ({"topology": without_origin(make_content().topology)}, "one origin"),
        ({"popularity": {"atlantis": [PopularTitle(title_id="s-0001", score=1.0)]}}, "atlantis"),
        ({"placement": {"north-9": {}}}, "north-9"),
        ({"placement": {"north-1": {"s-9999": {"240p": [0]}}}}, "s-9999"),
        ({"experiments": [experiment("e"), experiment("e")]}, "declared 2 times"),
        ({"experiments": [experiment("E 1")]}, "no identifier"),
        ({"experiments": [experiment("e", shares=(0.5, 0.6))]}, "add up to 1"),
        ({"experiments": [experiment("e", shares=(1.0, 0.0))]}, "above 0"),
        ({"experiments": [experiment("e", controls=2)]}, "exactly one arm"),
        ({"experiments": [experiment("e", names=("a", "a"))]}, "an arm twice"),
        ({"experiments": [experiment("e", exploration_share=1.0)]}, "exploration shares"),
        ({"experiments": [experiment("e", ranking="popularity"), experiment("f", ranking="model")]}, "all set ranking"),
    ],
)
def test_each_fault_is_named(tmp_path, changes, expected):
    assert any(expected in fault for fault in faults_of(tmp_path, **changes))
