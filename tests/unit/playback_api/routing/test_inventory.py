import pytest

from playback_api.routing import EdgeInventory, find_holding, group_count

WHOLE = {"manifest": [0], "240p": [0, 1, 2], "480p": [0, 1, 2]}


def inventory(complete, **packages):
    return EdgeInventory(edge_id="e", generation=1, complete=complete, packages=packages)


@pytest.mark.parametrize(("duration_s", "groups"), [(0.0, 1), (8.0, 1), (8.1, 2), (28.0, 2), (28.5, 3), (48.0, 3)])
def test_groups_follow_the_duration(duration_s, groups):
    assert group_count(duration_s) == groups


def test_a_title_that_is_planned_and_complete_is_held_whole():
    holding = find_holding("t", 48.0, ["240p", "480p"], {"t": WHOLE}, inventory({"t": WHOLE}))
    assert holding.prefix
    assert holding.coverage == 1.0


@pytest.mark.parametrize(("planned", "complete"), [({"t": WHOLE}, {}), ({}, {"t": WHOLE})])
def test_neither_the_plan_nor_the_inventory_counts_alone(planned, complete):
    holding = find_holding("t", 48.0, ["240p"], planned, inventory(complete))
    assert not holding.prefix
    assert holding.coverage == 0.0


def test_a_prefix_of_a_rung_the_viewer_cannot_use_does_not_help():
    complete = {"t": {"manifest": [0], "1080p": [0]}}
    assert not find_holding("t", 48.0, ["240p"], complete, inventory(complete)).prefix


@pytest.mark.parametrize(("audio", "starts"), [({}, False), ({"audio-en": [1]}, False), ({"audio-fr": [0, 1]}, True)])
def test_a_title_with_sound_starts_locally_only_with_its_sound(audio, starts):
    planned = {"t": WHOLE | {"audio-en": [0, 1], "audio-fr": [0, 1]}}
    assert find_holding("t", 48.0, ["240p"], planned, inventory({"t": WHOLE | audio})).prefix is starts


def test_without_the_manifest_no_session_starts_locally():
    complete = {"t": {"240p": [0, 1, 2]}}
    holding = find_holding("t", 48.0, ["240p"], complete, inventory(complete))
    assert not holding.prefix
    assert holding.coverage == 1.0


@pytest.mark.parametrize(("named", "held"), [({}, True), ({"t": "pk2"}, True), ({"t": "pk1"}, False)])
def test_groups_of_another_package_are_not_held(named, held):
    holding = find_holding("t", 48.0, ["240p"], {"t": WHOLE}, inventory({"t": WHOLE}, **named), package_id="pk2")
    assert (holding.prefix, holding.coverage > 0) == (held, held)


def test_coverage_is_the_share_of_usable_rungs_and_groups():
    complete = {"t": {"manifest": [0], "240p": [0, 1, 2]}}
    assert find_holding("t", 48.0, ["240p", "480p"], complete, inventory(complete)).coverage == pytest.approx(0.5)
