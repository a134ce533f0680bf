import dataclasses
import datetime as dt

import msgspec
import pytest

from playback_api.snapshot import PopularTitle, Topology, find_faults, load_snapshot, write_snapshot
from playback_api.snapshot.testing import NOON, make_content, make_title


def faults_of(tmp_path, **changes):
    content = dataclasses.replace(make_content(title_count=3), **changes)
    manifest = write_snapshot(tmp_path, content, clock=lambda: NOON, lifetime=dt.timedelta(days=1))
    return find_faults(load_snapshot(tmp_path, manifest.snapshot_id))


def without_origin(topology):
    return Topology(regions=topology.regions, pathways=[p for p in topology.pathways if p.region_id])


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
    ],
)
def test_each_fault_is_named(tmp_path, changes, expected):
    assert any(expected in fault for fault in faults_of(tmp_path, **changes))
