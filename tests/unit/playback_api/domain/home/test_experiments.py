import datetime as dt
from collections import Counter

import pytest

from playback_api.domain.home.experiments import PageTreatment, assign_arm, treat
from playback_api.events import Exposure
from playback_api.snapshot import ArmRecord, ExperimentRecord

TODAY = dt.date(2026, 10, 1)


def experiment(experiment_id="rows", *, shares=(0.5, 0.3, 0.2), last_day=None, **settings):
    arms = [
        ArmRecord(arm=f"arm-{number}", share=share, is_control=number == 0, **(settings if number else {}))
        for number, share in enumerate(shares)
    ]
    return ExperimentRecord(experiment_id=experiment_id, arms=arms, last_day=last_day)


def arms_of(declared, viewers):
    return [assign_arm(declared, f"v-{number:06d}").arm for number in range(viewers)]


def test_arms_never_change():
    assert arms_of(experiment(), 8) == ["arm-0", "arm-0", "arm-0", "arm-0", "arm-0", "arm-1", "arm-2", "arm-0"]


def test_arms_get_their_shares_of_the_viewers():
    viewers = 20_000
    counts = Counter(arms_of(experiment(), viewers))
    for number, share in enumerate((0.5, 0.3, 0.2)):
        five_errors = 5 * (share * (1 - share) / viewers) ** 0.5
        assert counts[f"arm-{number}"] / viewers == pytest.approx(share, abs=five_errors)


def test_experiments_share_out_viewers_independently_of_each_other():
    viewers = 20_000
    halves = (0.5, 0.5)
    pairs = zip(
        arms_of(experiment("one", shares=halves), viewers), arms_of(experiment("two", shares=halves), viewers),
        strict=True,
    )  # fmt: skip
    together = Counter(pairs)
    assert len(together) == 4
    assert all(count / viewers == pytest.approx(0.25, abs=5 * (0.25 * 0.75 / viewers) ** 0.5)
               for count in together.values())  # fmt: skip


def test_an_arm_says_how_the_page_is_made_and_what_it_leaves_open_stays():
    assert treat([], "v-1", TODAY, has_trial=False) == PageTreatment()
    explored = experiment("explored", shares=(0.0, 1.0), exploration_share=0.0)
    ranked = experiment("ranked", shares=(0.0, 1.0), ranking="popularity")
    assert treat([explored, ranked], "v-1", TODAY, has_trial=False) == PageTreatment(
        exploration_share=0.0,
        ranking="popularity",
        exposures=(
            Exposure(experiment_id="explored", arm="arm-1"),
            Exposure(experiment_id="ranked", arm="arm-1"),
        ),
    )


def test_an_experiment_ends_after_its_last_day():
    ended = experiment(shares=(0.0, 1.0), last_day=TODAY, ranking="popularity")
    assert treat([ended], "v-1", TODAY, has_trial=False).ranking == "popularity"
    assert treat([ended], "v-1", TODAY + dt.timedelta(days=1), has_trial=False) == PageTreatment()


def test_without_a_challenger_nobody_is_exposed_to_its_experiment_and_others_go_on():
    tried = experiment("tried", shares=(0.95, 0.05), ranking="challenger")
    explored = experiment("explored", exploration_share=0.0)
    viewers = [f"v-{number:04d}" for number in range(1000)]
    served = [treat([tried, explored], viewer, TODAY, has_trial=True) for viewer in viewers]
    assert 25 <= sum(each.ranking == "challenger" for each in served) <= 75
    assert all(len(each.exposures) == 2 for each in served)
    still = [treat([tried, explored], viewer, TODAY, has_trial=False) for viewer in viewers]
    assert {each.ranking for each in still} == {"model"}
    assert {exposure.experiment_id for each in still for exposure in each.exposures} == {"explored"}
