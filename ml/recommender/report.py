"""What people look at after a training: a table beside the baselines, and a plot by slice of viewers."""

from __future__ import annotations

import io

import numpy as np

from ml.recommender.evaluation import Evaluation
from ml.recommender.gate import GateDecision
from ml.recommender.publication import Publication


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
