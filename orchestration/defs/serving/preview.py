"""What people look at in the UI: tables of what is in a snapshot."""

from __future__ import annotations

from playback_api.snapshot import ALL_REGIONS, Snapshot

PREVIEWED = 8


def titles_table(snapshot: Snapshot) -> str:
    """The most popular titles as a Markdown table; the first of the catalogue while nothing was watched."""
    ids = [entry.title_id for entry in snapshot.popular(ALL_REGIONS)] or [title.title_id for title in snapshot.titles]
    lines = ["| title | genres | length | rungs | size |", "|---|---|---:|---|---:|"]
    for title_id in ids[:PREVIEWED]:
        title = snapshot.title_by_id.get(title_id)
        if title is not None:
            rungs = " ".join(rung.rung for rung in title.rungs)
            lines.append(
                f"| {title.name} | {', '.join(title.genres)} | {title.duration_s:.0f} s | {rungs} "
                f"| {title.size_bytes / 1e6:.1f} MB |"
            )
    return "\n".join(lines)


def edges_table(snapshot: Snapshot) -> str:
    """What the plans put on every edge, as a Markdown table."""
    lines = ["| pathway | region | address | placed titles | segment groups |", "|---|---|---|---:|---:|"]
    for pathway in snapshot.topology.pathways:
        placed = snapshot.placement.get(pathway.pathway_id, {})
        groups = sum(len(groups) for rungs in placed.values() for groups in rungs.values())
        lines.append(
            f"| {pathway.pathway_id} | {pathway.region_id or 'all'} | {pathway.base_url} | {len(placed)} | {groups} |"
        )
    return "\n".join(lines)


def models_table(snapshot: Snapshot) -> str:
    """Which models are in it, as a Markdown table."""
    if not snapshot.models:
        return "No model has been published yet: popularity answers."
    lines = ["| model | version | metric | value |", "|---|---|---|---:|"]
    for model in snapshot.models:
        value = "" if model.metric_value is None else f"{model.metric_value:.4f}"
        lines.append(f"| {model.name} | {model.version} | {model.metric_name} | {value} |")
    return "\n".join(lines)
