"""Pathways that a multivariant playlist names itself (``PATHWAY-ID``): the same tracks at several places."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from player_sdk.models import Pathway
from player_sdk.playlist.model import Track


@dataclass(frozen=True, kw_only=True)
class OnPathways:
    """The tracks once, with paths below each of the pathways; none where there is nothing to choose from."""

    video: tuple[Track, ...]
    renditions: tuple[Track, ...]
    pathways: tuple[Pathway, ...] = ()


def on_pathways(
    video: Sequence[Track],
    renditions: Sequence[Track],
    pathway_of: Mapping[str, str],
    *,
    first_id: str | None,
    steered: bool,
) -> OnPathways:
    """Fold tracks that stand in a playlist once a pathway into one set.

    Pathways that do not hold the same relative URIs as the first one cannot stand in for it and are left out.

    Args:
        video: Tracks of all pathways.
        renditions: Sound and text of all pathways.
        pathway_of: Pathway of each URI in ``video``.
        first_id: The pathway to begin with, where the playlist says.
        steered: Whether a single pathway may get company, by a server that clones it.
    """
    ids = list(dict.fromkeys(pathway_of.values()))
    if len(ids) < 2:
        server = _server([track.uri or "" for track in (*video, *renditions)]) if steered else ""
        if not server:
            return OnPathways(video=tuple(video), renditions=tuple(renditions))
        return OnPathways(
            video=tuple(_below(track, server) for track in video),
            renditions=tuple(_below(track, server) for track in renditions),
            pathways=(Pathway(pathway_id=ids[0], base_url=server),),
        )
    if first_id in ids:
        ids.insert(0, ids.pop(ids.index(first_id)))
    tracks = {one: _of_pathway(one, video, renditions, pathway_of) for one in ids}
    own, beside = tracks[ids[0]]
    for folder_of in (_server, _common_folder):
        folders = {one: folder_of([track.uri or "" for part in tracks[one] for track in part]) for one in ids}
        paths = _paths(*tracks[ids[0]], folders[ids[0]])
        alike = [one for one in ids if folders[one] and _paths(*tracks[one], folders[one]) == paths]
        if len(alike) > 1:
            return OnPathways(
                video=tuple(_below(track, folders[ids[0]]) for track in own),
                renditions=tuple(_below(track, folders[ids[0]]) for track in beside),
                pathways=tuple(Pathway(pathway_id=one, base_url=folders[one]) for one in alike),
            )
    return OnPathways(video=tuple(own), renditions=tuple(beside))


def _of_pathway(
    pathway_id: str, video: Sequence[Track], renditions: Sequence[Track], pathway_of: Mapping[str, str]
) -> tuple[list[Track], list[Track]]:
    own = [track for track in video if pathway_of[track.uri or ""] == pathway_id]
    groups = {group for track in own for group in (track.audio_group, track.text_group)} - {None}
    return own, [track for track in renditions if {track.audio_group, track.text_group} & groups]


def _paths(own: Sequence[Track], beside: Sequence[Track], folder: str) -> set[str]:
    return {(track.uri or "").removeprefix(folder) for track in (*own, *beside)}


def _server(uris: Sequence[str]) -> str:
    """The one server of all of them, up to the slash after its name; empty where they are not on one."""
    servers = {match[0] if (match := re.match(r"[a-z]+://[^/?#]+/", uri)) else "" for uri in uris}
    return servers.pop() if len(servers) == 1 else ""


def _common_folder(uris: Sequence[str]) -> str:
    """The longest beginning of all of them that ends with a slash."""
    shortest, longest = min(uris), max(uris)
    length = next((at for at, letter in enumerate(shortest) if longest[at : at + 1] != letter), len(shortest))
    return shortest[:length].rpartition("/")[0] + "/"


def _below(track: Track, folder: str) -> Track:
    return replace(track, uri="/" + (track.uri or "").removeprefix(folder))
