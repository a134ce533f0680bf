"""What can be placed: blocks of a title, by rung and segment group, and how sessions fall on them.

A block is what an edge holds completely or not at all: (title_id, package_id, rung, segment_group). Here belong reading
the objects frame, the ladder of each title, and the mapping of a region's rung mix onto it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ml.placement.errors import PlacementInputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

BLOCK = ("title_id", "package_id", "rung", "segment_group")
MANIFEST = "manifest"
ARTWORK = "artwork"
AUDIO = "audio-"
TEXT = "text-"
_VIDEO_RUNG = re.compile(r"^(\d+)p(-.+)?$")
"""``720p``; a ladder per title has ``720p-2`` too, another codec ``720p-vp9``."""


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """The blocks of a catalogue as columns of equal length, sorted by title, rung and group.

    Attributes:
        frame: title_id, package_id, rung, segment_group, size_bytes.
        titles: Names of the titles, sorted.
        title: Index into ``titles``.
        chain: Index of the (title, rung) a block belongs to; a chain's groups stand in order.
        group: Segment group.
        size_bytes: Size of the block.
        kind: ``video``, ``audio`` or ``manifest`` of each block.
        height: Rung of video blocks in lines, 0 for others.
        tracks: For audio: how many audio rungs the title has; 1 for others.
    """

    frame: pl.DataFrame
    titles: tuple[str, ...]
    title: IntArray
    chain: IntArray
    group: IntArray
    size_bytes: FloatArray
    kind: npt.NDArray[np.str_]
    height: IntArray
    tracks: IntArray

    def __len__(self) -> int:
        return len(self.title)

    @property
    def total_bytes(self) -> float:
        """Bytes of everything that could be placed."""
        return float(self.size_bytes.sum())


def read_blocks(objects: pl.DataFrame) -> Blocks:
    """Read an objects frame; artwork and captions are left out: a few files that load from anywhere.

    Args:
        objects: title_id, package_id, rung, segment_group, size_bytes; rows of one block are added up.

    Raises:
        PlacementInputError: A column is missing, or a title has two packages.
    """
    require_columns(objects, (*BLOCK, "size_bytes"), "objects")
    frame = (
        objects.filter((pl.col("rung") != ARTWORK) & ~pl.col("rung").str.starts_with(TEXT) & (pl.col("size_bytes") > 0))
        .group_by(BLOCK)
        .agg(pl.col("size_bytes").sum().cast(pl.Int64))
        .with_columns(pl.col("segment_group").cast(pl.Int64))
        .sort("title_id", "rung", "segment_group", "package_id")
    )
    if frame.select("title_id", "rung", "segment_group").is_duplicated().any():
        twice = frame.group_by("title_id").agg(pl.col("package_id").n_unique()).filter(pl.col("package_id") > 1)
        raise PlacementInputError(
            f"titles with two packages: {twice['title_id'].head(5).to_list()}; keep the current one"
        )
    titles = tuple(frame["title_id"].unique().sort())
    rungs = frame["rung"].to_list()
    heights = {rung: rung_height(rung) for rung in set(rungs)}
    kinds = {rung: _kind(rung) for rung in heights}
    kind = np.array([kinds[rung] for rung in rungs], dtype=np.str_)
    title = np.searchsorted(np.array(titles, dtype=object), frame["title_id"].to_numpy().astype(object))
    chain = frame.select(pl.struct("title_id", "rung").rle_id()).to_series().to_numpy().astype(np.int64)
    audio_tracks = (
        frame.filter(pl.col("rung").str.starts_with(AUDIO)).group_by("title_id").agg(pl.col("rung").n_unique())
    )
    tracks_of = dict(audio_tracks.iter_rows())
    return Blocks(
        frame=frame,
        titles=titles,
        title=title.astype(np.int64),
        chain=chain,
        group=frame["segment_group"].to_numpy().astype(np.int64),
        size_bytes=frame["size_bytes"].to_numpy().astype(np.float64),
        kind=kind,
        height=np.array([heights[rung] for rung in rungs], dtype=np.int64),
        tracks=np.where(
            kind == "audio", np.array([tracks_of.get(name, 1) for name in frame["title_id"]], dtype=np.int64), 1
        ),
    )


def rung_height(rung: str) -> int:
    """Lines of a video rung such as ``720p``; 0 for audio and manifests."""
    match = _VIDEO_RUNG.match(rung)
    return int(match.group(1)) if match else 0


def rung_shares(blocks: Blocks, mix: Mapping[str, float]) -> FloatArray:
    """Share of a title's sessions that ask for each block's rung, shape [blocks].

    The share of a rung that a title lacks goes to the next lower rung it has, or to its lowest. Rungs of one
    height share evenly what is asked of it, and so do the audio tracks; every session asks for the manifest.

    Args:
        blocks: The catalogue.
        mix: Share by rung; need not sum to 1. An empty mix is taken as an even one over each title's own ladder.
    """
    share = 1.0 / blocks.tracks.astype(np.float64)
    video = blocks.kind == "video"
    if not video.any():
        return share
    wanted: dict[int, float] = defaultdict(float)
    for rung, weight in mix.items():
        if rung_height(rung) and weight > 0:
            wanted[rung_height(rung)] += weight
    total = sum(wanted.values())
    heights = np.unique(blocks.height[video])
    column = np.searchsorted(heights, blocks.height[video])
    _, first_of_chain = np.unique(blocks.chain[video], return_index=True)
    rungs = np.zeros((len(blocks.titles), len(heights)))
    np.add.at(rungs, (blocks.title[video][first_of_chain], column[first_of_chain]), 1.0)
    has = rungs > 0
    by_rung = np.zeros(has.shape)
    rows = np.arange(len(blocks.titles))
    for height, weight in sorted(wanted.items()):
        at_most = has & (heights <= height)[None, :]
        # the highest rung that is not above the wanted one, or the lowest of all
        lower = at_most.shape[1] - 1 - at_most[:, ::-1].argmax(axis=1)
        served = np.where(at_most.any(axis=1), lower, has.argmax(axis=1))
        by_rung[rows, served] += weight / total
    if total <= 0:
        by_rung = has / np.maximum(has.sum(axis=1, keepdims=True), 1)
    share[video] = (by_rung / np.maximum(rungs, 1.0))[blocks.title[video], column]
    return share


def require_columns(frame: pl.DataFrame, columns: tuple[str, ...], name: str) -> None:
    """Raise when a frame lacks a column.

    Raises:
        PlacementInputError: Names the columns.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise PlacementInputError(f"the {name} frame lacks {missing}; it has {frame.columns}")


def _kind(rung: str) -> str:
    if rung == MANIFEST:
        return "manifest"
    if rung.startswith(AUDIO):
        return "audio"
    if rung_height(rung):
        return "video"
    raise PlacementInputError(
        f"unknown rung {rung!r}; rungs are '<height>p', '<height>p-<more>', 'audio-<language>', 'manifest', 'artwork'"
    )
