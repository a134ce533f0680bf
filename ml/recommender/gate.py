"""Whether a newly trained model may become the champion. A pure decision: moving the alias is the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.recommender.errors import ModelFolderError
from ml.recommender.ranking_metrics import Interval, bootstrap_interval

EPSILON = 0.005
"""How much NDCG@10 a challenger may lose, at the pessimistic end of the interval over all viewers."""
FEWEST_SLICE_VIEWERS = 30
COVERAGE_FLOOR = 0.9
"""What part of the titles that are shown today must still be shown to somebody."""
SLOWEST_LIST_MS = 30.0
MAX_DRIFT = 0.25

EVIDENCE_FILE = "evidence.npz"
POPULARITY, CHAMPION = "popularity", "champion"


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What a decision rests on, all of the same n viewers.

    Attributes:
        challenger, popularity: [n] NDCG@10 by viewer.
        champion: [n] NaN for those on whom it cannot be compared; None while there is no champion.
        slices: [n] by name who belongs to a slice of viewers, such as a region, or those with short histories.
        coverage: Share of the titles that the challenger shows somebody.
        rival_coverage: The same of what serves now: the champion, popularity without one.
        drift: By feature how far viewing has moved since the champion was trained, see ``drift``.
    """

    challenger: NDArray[np.floating]
    popularity: NDArray[np.floating]
    champion: NDArray[np.floating] | None
    slices: dict[str, NDArray[np.bool_]]
    coverage: float
    rival_coverage: float
    drift: dict[str, float]

    def save(self, folder: Path) -> None:
        """Write it into a model's folder."""
        arrays: dict[str, Any] = {
            "challenger": self.challenger,
            "popularity": self.popularity,
            "slice_names": np.array(list(self.slices), np.str_),
            "slice_members": np.array(list(self.slices.values()), bool),
            "coverages": np.array([self.coverage, self.rival_coverage]),
            "drift_names": np.array(list(self.drift), np.str_),
            "drift": np.array(list(self.drift.values()), float),
        }
        if self.champion is not None:
            arrays["champion"] = self.champion
        np.savez_compressed(folder / EVIDENCE_FILE, **arrays)


def read_evidence(folder: Path) -> Evidence:
    """Read what ``Evidence.save`` wrote.

    Raises:
        ModelFolderError: There is none that can be read.
    """
    try:
        with np.load(folder / EVIDENCE_FILE, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        coverage, rival_coverage = arrays["coverages"].tolist()
        return Evidence(
            challenger=arrays["challenger"],
            popularity=arrays["popularity"],
            champion=arrays.get("champion"),
            slices=dict(zip(arrays["slice_names"].tolist(), arrays["slice_members"], strict=True)),
            coverage=coverage,
            rival_coverage=rival_coverage,
            drift=dict(zip(arrays["drift_names"].tolist(), arrays["drift"].tolist(), strict=True)),
        )
    except (OSError, KeyError, ValueError) as error:
        raise ModelFolderError(f"{folder} holds no evidence for the gate ({error}); train again") from error


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One thing that is asked of a challenger; ``refusal`` is what to say where it does not hold."""

    name: str
    found: str
    wanted: str
    holds: bool
    refusal: str


@dataclass(frozen=True, kw_only=True)
class GateDecision:
    """What was asked and found, and the paired difference over all viewers from what serves now."""

    conditions: tuple[Condition, ...]
    compared_with: str
    difference: Interval

    @property
    def promote(self) -> bool:
        """Whether everything holds."""
        return all(condition.holds for condition in self.conditions)

    @property
    def reason(self) -> str:
        """Why, in words."""
        refusals = [condition.refusal for condition in self.conditions if not condition.holds]
        if refusals:
            return "; ".join(refusals)
        if self.compared_with == POPULARITY:
            return "beats popularity, and there is no champion yet"
        return "beats popularity and is not worse than the champion"


def decide(evidence: Evidence, *, list_ms_p99: float, seed: int) -> GateDecision:
    """Whether a challenger beats popularity, is not worse than what serves now, and breaks nothing.

    Over all viewers "beats" is a positive mean difference whose lower end is above ``-EPSILON``; "not worse" is a lower
    end above ``-EPSILON``. Both by the paired bootstrap over viewers. A slice has too few viewers for that: asked of
    each, it would refuse everything. There a challenger must not be certainly worse: the upper end not below
    ``-EPSILON``. Slices of fewer than ``FEWEST_SLICE_VIEWERS`` say nothing.

    Args:
        evidence: Of the challenger.
        list_ms_p99: CPU milliseconds of the slowest list in a hundred.
        seed: For the bootstrap.

    Raises:
        ValueError: The arrays are not of the same viewers.
    """
    challenger, champion = evidence.challenger, evidence.champion
    for other in (evidence.popularity, champion, *evidence.slices.values()):
        if other is not None and len(other) != len(challenger):
            raise ValueError(f"{len(other)} scores cannot be paired with {len(challenger)}: compare the same viewers")
    over_popularity = bootstrap_interval(challenger - evidence.popularity, seed=seed)
    beats = over_popularity.mean > 0 and over_popularity.low > -EPSILON
    conditions = [
        _of_interval("all viewers, over popularity", over_popularity, beats, "does not beat popularity"),
    ]
    differences = challenger - (evidence.popularity if champion is None else champion)
    compared_with, rival = (POPULARITY, "popularity") if champion is None else (CHAMPION, "the champion")
    comparable = ~np.isnan(differences)
    overall = bootstrap_interval(differences[comparable], seed=seed)
    if champion is not None:
        conditions.append(
            _of_interval(
                "all viewers, over the champion", overall, overall.low > -EPSILON, "may be worse than the champion"
            )
        )
    for name, members in evidence.slices.items():
        of_slice = differences[members & comparable]
        if len(of_slice) >= FEWEST_SLICE_VIEWERS:
            interval = bootstrap_interval(of_slice, seed=seed)
            refusal = f"is worse than {rival} for {name}"
            conditions.append(_of_interval(name, interval, interval.high >= -EPSILON, refusal, "not certainly below"))
    floor = COVERAGE_FLOOR * evidence.rival_coverage
    conditions += [
        Condition(
            name="coverage@10",
            found=f"{evidence.coverage:.3f}",
            wanted=f"{floor:.3f} or more",
            holds=evidence.coverage >= floor,
            refusal=f"shows {evidence.coverage:.1%} of the titles where {floor:.1%} are the least",
        ),
        Condition(
            name="a list, p99",
            found=f"{list_ms_p99:.1f} ms",
            wanted=f"{SLOWEST_LIST_MS:g} ms or less",
            holds=list_ms_p99 <= SLOWEST_LIST_MS,
            refusal=f"needs {list_ms_p99:.1f} ms of CPU for one list in a hundred, {SLOWEST_LIST_MS:g} are the most",
        ),
        *(
            Condition(
                name=f"drift of {feature}, PSI",
                found=f"{index:.3f}",
                wanted=f"{MAX_DRIFT:g} or less",
                holds=index <= MAX_DRIFT,
                refusal=f"learnt from viewing whose {feature} has moved (PSI {index:.2f}); look at the source",
            )
            for feature, index in evidence.drift.items()
        ),
    ]
    return GateDecision(conditions=tuple(conditions), compared_with=compared_with, difference=overall)


def _of_interval(
    name: str, interval: Interval, holds: bool, refusal: str, wanted: str = "lower end above"
) -> Condition:
    found = f"{interval.mean:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"
    return Condition(name=name, found=found, wanted=f"{wanted} {-EPSILON:g}", holds=holds, refusal=refusal)
