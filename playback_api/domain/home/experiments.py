"""Which arm of each experiment makes a viewer's pages, and what follows from it. Pure.

A viewer's arm depends on the ids of viewer and experiment alone: every process gives the same one, on every device and
after every restart, and anyone can compute it again from the log. Experiments are independent of each other, since each
hashes with its own key.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from playback_api.domain.home.exploration import EPSILON
from playback_api.events import Exposure
from playback_api.snapshot import ArmRecord, ExperimentRecord, Ranking

_POINTS = 2**64


@dataclass(frozen=True, kw_only=True)
class PageTreatment:
    """How a viewer's page is made.

    Attributes:
        exploration_share: How likely a place of the main row explores.
        ranking: What fills the main row where it can.
        exposures: The arms that this follows from.
    """

    exploration_share: float = EPSILON
    ranking: Ranking = "model"
    exposures: tuple[Exposure, ...] = ()


def assign_arm(experiment: ExperimentRecord, viewer_id: str) -> ArmRecord:
    """The viewer's arm: BLAKE2b of the viewer id, keyed by the experiment id, as a point of the arms laid end to end.

    Who is in which arm changes only with the shares or the order of the arms.
    """
    digest = hashlib.blake2b(viewer_id.encode(), digest_size=8, key=experiment.experiment_id.encode()).digest()
    point = int.from_bytes(digest, "big") / _POINTS
    end = 0.0
    for arm in experiment.arms:
        end += arm.share
        if point < end:
            return arm
    return experiment.arms[-1]  # the shares add up to a hair less than 1


def treat(experiments: Iterable[ExperimentRecord], viewer_id: str, today: dt.date, *, has_trial: bool) -> PageTreatment:
    """What the arms of the experiments that run today make of a viewer's page.

    Without a trial, an experiment with the challenger stands still: every arm gets the champion, and whoever were
    logged as exposed would make the two look alike.
    """
    exploration_share: float = EPSILON
    ranking: Ranking = "model"
    exposures = []
    for experiment in experiments:
        if not experiment.runs(today) or (experiment.tries_challenger and not has_trial):
            continue
        arm = assign_arm(experiment, viewer_id)
        exposures.append(Exposure(experiment_id=experiment.experiment_id, arm=arm.arm))
        if arm.exploration_share is not None:
            exploration_share = arm.exploration_share
        ranking = arm.ranking or ranking
    return PageTreatment(exploration_share=exploration_share, ranking=ranking, exposures=tuple(exposures))
