"""What people look at after a training: a table beside the baselines, and a plot by slice of viewers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.recommender.engagement import HIGHEST_AFFINITY, LOWEST_AFFINITY
from ml.recommender.evaluation import Evaluation
from ml.recommender.gate import GateDecision
from ml.recommender.publication import Publication
from ml.recommender.ranker import CURVE_STEP
from ml.recommender.training import TrainedAffinity, TrainedTopN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CALIBRATION_BINS = 10


def metrics_table(evaluation: Evaluation) -> str:
    """A Markdown table of all scores of one evaluation."""
    lines = [
        "| model | NDCG@10 | 95 % interval | HR@10 | coverage@10 |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {score.model} | {score.ndcg.mean:.4f} | {score.ndcg.low:.4f} to {score.ndcg.high:.4f} "
        f"| {score.hit_rate:.4f} | {score.coverage:.3f} |"
        for score in evaluation.scores
    ]
    return "\n".join([*lines, "", f"{evaluation.viewers} viewers, last title held out, all titles as candidates."])


def gate_table(decision: GateDecision) -> str:
    """A Markdown table of what the gate asked and found."""
    lines = ["| | condition | found | wanted |", "|---|---|---|---|"]
    lines += [
        f"| {'holds' if condition.holds else '**fails**'} | {condition.name} | {condition.found} | {condition.wanted} |"
        for condition in decision.conditions
    ]
    return "\n".join(lines)


def slices_plot(evaluation: Evaluation) -> bytes:
    """A PNG: NDCG@10 by length of history and by region, one bar per model."""
    from matplotlib.figure import Figure

    names = list(evaluation.slice_members)
    figure = Figure(figsize=(max(6.0, 1.1 * len(names)), 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / max(len(evaluation.scores), 1)
    places = np.arange(len(names))
    for number, score in enumerate(evaluation.scores):
        of_slices = evaluation.by_slice(score.model)
        heights = [of_slices[name] for name in names]
        axes.bar(places + (number - (len(evaluation.scores) - 1) / 2) * width, heights, width, label=score.model)
    labels = [f"{name}\n{members.sum()} viewers" for name, members in evaluation.slice_members.items()]
    axes.set_xticks(places, labels, fontsize=7)
    axes.set_ylabel("NDCG@10")
    axes.legend(fontsize=7)
    return _as_png(figure)


def training_plots(trained: TrainedTopN) -> dict[str, bytes]:
    """What people look at of a trained ranking model: PNGs by name.

    NDCG@10 by slice, the bias to popular titles, and, where trees were grown, their learning curve.
    """
    plots = {"ndcg_by_slice": slices_plot(trained.evaluation), "popularity_bias": popularity_plot(trained.evaluation)}
    if trained.ranker.learning_curve is not None:
        plots["learning_curve"] = learning_plot(trained.ranker.learning_curve)
    return plots


def popularity_plot(evaluation: Evaluation) -> bytes:
    """A PNG: how much of what each model shows goes to the most watched titles, beside how much of the viewing does."""
    from matplotlib.figure import Figure

    most_watched_first = np.argsort(-evaluation.watched, kind="stable")
    titles = np.arange(1, len(most_watched_first) + 1) / len(most_watched_first)
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.subplots()
    columns = {"what was watched": evaluation.watched} | {score.model: score.shown for score in evaluation.scores}
    for name, counts in columns.items():
        axes.plot(titles, np.cumsum(counts[most_watched_first]) / max(counts.sum(), 1), label=name)
    axes.set_xlabel("share of titles, the most watched first")
    axes.set_ylabel("share of viewing, or of places in lists")
    axes.legend(fontsize=7)
    return _as_png(figure)


def learning_plot(curve: NDArray[np.floating]) -> bytes:
    """A PNG: what the trees gain for viewers that they have not seen, as they grow in number."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(CURVE_STEP * np.arange(1, len(curve) + 1), curve, marker="o")
    axes.axhline(0, color="grey", linewidth=1)
    axes.set_xlabel("trees")
    axes.set_ylabel("NDCG@10 over the first stage, unseen viewers")
    return _as_png(figure)


def calibration_plot(trained: TrainedAffinity) -> bytes:
    """A PNG: how events were liked on average, by tenths of how they were predicted to be; the diagonal is perfect."""
    from matplotlib.figure import Figure

    tenths = np.array_split(np.argsort(trained.predicted, kind="stable"), CALIBRATION_BINS)
    found = [(trained.predicted[tenth].mean(), trained.test.affinities[tenth].mean()) for tenth in tenths if len(tenth)]
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*found, strict=True), marker="o")
    ends = (LOWEST_AFFINITY, HIGHEST_AFFINITY)
    axes.plot(ends, ends, color="grey", linewidth=1)
    axes.set_xlabel("predicted affinity")
    axes.set_ylabel("affinity of held-out events")
    return _as_png(figure)


def _as_png(figure: Figure) -> bytes:
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110)
    return png.getvalue()


def publication_summary(publication: Publication) -> str:
    """A Markdown list of what was published."""
    return "\n".join(
        [
            f"- {publication.viewers} viewers with a list, {publication.viewers_without_list} left to the fallback",
            f"- {publication.recommendable_titles} of {publication.titles} titles can be recommended, "
            f"{publication.new_titles} of them as new titles",
            f"- {publication.coverage_at_10:.0%} of them stand in somebody's first ten",
            f"- match percentages for {publication.affinity_viewers} viewers",
            f"- age or picked genres of {publication.known_viewers} viewers, which steer until their watching does",
            f"- {publication.unanswered} titles go down for single viewers: shown on three days or more, never taken",
        ]
    )
