"""The files of a published top-N model: one msgpack index beside arrays that are mapped, not read.

Here belong the form of the model that serves and how it is written and opened. What the numbers mean at request time
is ``fold_in``; how they are learnt is ``top_n`` and ``affinity``. Numpy and msgspec only: the serving plane opens these
files.

Titles and viewers are rows: title ``t`` is ``index.title_ids[t]``, viewer ``v`` is ``viewer_ids[v]`` (sorted, so that a
viewer is found by bisection without a dictionary of every viewer). Numbers of titles are stored as uint16 while the
catalogue has less than 65,535 of them, else as uint32; the largest value of the type means "no title".
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from ml.recommender.errors import ModelFolderError
from ml.recommender.trees import Trees

FORMAT_VERSION = (2, 3)
"""Readers refuse another major version, and open every earlier minor one. A later minor one may lack files that they
want, which they say: update what reads before what writes."""

INDEX_FILE = "index.msgpack"

MAX_GROUPS = 64
"""A viewer's groups are the bits of one number."""
OF_AGE, WHO_PICKED = "age:", "genre:"
"""How the names of groups begin, by what their members have in common."""


class Blend(msgspec.Struct, frozen=True, kw_only=True):
    """How the parts of a score are weighed; chosen on held-out viewing, see ``top_n``.

    Attributes:
        half_life: After how many later titles an event in the history counts half for the item-item weights.
        rule_half_life: The same for the sequential rules, which look at the last few titles only.
        rule_share: Weight of the sequential rules, 0 to 1; the item-item weights get the rest.
        trend_share: Weight of the region's recent popularity, on top.
    """

    half_life: float = 20.0
    rule_half_life: float = 2.0
    rule_share: float = 0.7
    trend_share: float = 0.0


class OnlineIndex(msgspec.Struct, frozen=True, kw_only=True):
    """``index.msgpack``: the names behind the rows and the few scalars.

    Attributes:
        trained_through: Time of the latest viewing that the model knows; later watching is folded in.
        region_ids: Rows of ``trend``; the first is ``*``, all regions.
        affinity_mean: Mean affinity of the training data, the start of every affinity prediction.
        groups: Rows of ``group_trend``: ages (``OF_AGE``) and genres that were picked (``WHO_PICKED``).
    """

    format_version: tuple[int, int]
    model_version: str
    trained_through: dt.datetime
    title_ids: list[str]
    region_ids: list[str]
    blend: Blend
    affinity_mean: float = 0.0
    groups: list[str] = []
    age_bands: list[str] = []
    """Only before format 2.3: rows of what was ``age_trend`` then."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OnlineArrays:
    """The arrays, one ``.npy`` file each.

    V viewers, T titles, R regions, N neighbours, H history rows, G genres, B groups of viewers, W viewers who
    belong to any, and who may have watched nothing.

    Attributes:
        viewer_ids: [V] ASCII, sorted.
        viewer_regions: [V] row of ``region_ids`` where the viewer watched last.
        history_starts: [V + 1] where each viewer's history starts in the next two arrays.
        history_titles: [H] titles, newest first within a viewer.
        history_weights: [H] float16, see ``engagement.history_weight_of``.
        ease_titles, ease_weights: [T, N] float32, what a title in the history says about its N strongest neighbours.
        rule_titles, rule_weights: [T, N] float32, what tends to be watched soon after a title.
        trend: [R, T] float16, recent decayed popularity per region, see ``popularity.Popularity.trend``.
        group_trend: [B, T] float16, what each group adds to it, see ``popularity.measure_group_trend``.
        known_viewer_ids: [W] ASCII, sorted.
        known_viewer_groups: [W] uint64, bit ``b`` is set where the viewer belongs to row ``b`` of ``groups``.
        recommendable: [T] whether the title could be played when the model was trained.
        new_titles: [<= T] titles too new for neighbours, newest first.
        genres: [T, G] float16, unit rows; zero rows where nothing is known.
        title_features: [T, S] float32, see ``candidate_features.TITLE_FEATURES``.
        viewer_idle_days: [V] float32, from each viewer's last event to the latest of all.
        tree_features, tree_thresholds, tree_values: The ranker, see ``trees.Trees``; it may be empty.
        top_titles: [V, K] the list of each viewer as of ``trained_through``, best first.
        top_scores: [V, K] float16, its scores.
        top_reasons: [V, K] uint8, rows of ``fold_in.REASONS``.
        top_because: [V, K] the title of the history behind each entry.
        viewer_factors: [V, F] float32, NaN rows for viewers that the affinity model does not know.
        viewer_biases: [V] float32.
        title_factors: [T, F] float32, NaN rows for titles that it does not know.
        title_biases: [T] float32.
        unanswered_starts: [V + 1] where each viewer's titles start in the next two arrays.
        unanswered_titles: [U] shown to the viewer and not taken, sorted within a viewer; see ``repetition``.
        unanswered_days: [U] uint8, on how many days.
    """

    viewer_ids: NDArray[np.bytes_]
    viewer_regions: NDArray[np.integer]
    history_starts: NDArray[np.integer]
    history_titles: NDArray[np.unsignedinteger]
    history_weights: NDArray[np.floating]
    ease_titles: NDArray[np.unsignedinteger]
    ease_weights: NDArray[np.floating]
    rule_titles: NDArray[np.unsignedinteger]
    rule_weights: NDArray[np.floating]
    trend: NDArray[np.floating]
    group_trend: NDArray[np.floating]
    known_viewer_ids: NDArray[np.bytes_]
    known_viewer_groups: NDArray[np.unsignedinteger]
    recommendable: NDArray[np.bool_]
    new_titles: NDArray[np.unsignedinteger]
    genres: NDArray[np.floating]
    title_features: NDArray[np.floating]
    viewer_idle_days: NDArray[np.floating]
    tree_features: NDArray[np.unsignedinteger]
    tree_thresholds: NDArray[np.float32]
    tree_values: NDArray[np.float32]
    top_titles: NDArray[np.unsignedinteger]
    top_scores: NDArray[np.floating]
    top_reasons: NDArray[np.unsignedinteger]
    top_because: NDArray[np.unsignedinteger]
    viewer_factors: NDArray[np.floating]
    viewer_biases: NDArray[np.floating]
    title_factors: NDArray[np.floating]
    title_biases: NDArray[np.floating]
    unanswered_starts: NDArray[np.integer]
    unanswered_titles: NDArray[np.unsignedinteger]
    unanswered_days: NDArray[np.unsignedinteger]

    @property
    def trees(self) -> Trees:
        """The ranker."""
        return Trees(features=self.tree_features, thresholds=self.tree_thresholds, values=self.tree_values)

    @property
    def no_title(self) -> int:
        """The number that stands for "no title" in every array of titles."""
        return int(np.iinfo(self.ease_titles.dtype).max)


def title_number_type(title_count: int) -> type[np.unsignedinteger]:
    """The smallest unsigned type that can number the titles and still has a value left for "no title"."""
    return np.uint16 if title_count < np.iinfo(np.uint16).max else np.uint32


def write_model_files(folder: Path, index: OnlineIndex, arrays: OnlineArrays) -> int:
    """Write the files into an empty or new folder, the index last.

    Returns:
        The bytes written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ModelFolderError(f"{folder} is not empty; a published model is never edited, give a new folder")
    for field in fields(arrays):
        np.save(folder / f"{field.name}.npy", getattr(arrays, field.name), allow_pickle=False)
    (folder / INDEX_FILE).write_bytes(msgspec.msgpack.encode(index))
    return sum(path.stat().st_size for path in folder.iterdir())


def open_model_files(folder: Path) -> tuple[OnlineIndex, OnlineArrays]:
    """Open what ``write_model_files`` wrote; the arrays are memory-mapped and read-only.

    Raises:
        ModelFolderError: A file is missing or damaged, sizes do not fit together, or the format is of another
            major version.
    """
    index = _read_index(folder / INDEX_FILE)
    if index.format_version[0] != FORMAT_VERSION[0]:
        raise ModelFolderError(
            f"{folder} has format {index.format_version}, this reader knows {FORMAT_VERSION}; train and publish again"
        )
    added: dict[str, np.ndarray] = {}
    if index.format_version < (2, 1):
        added |= no_unanswered(len(_map_array(folder / "viewer_ids.npy")))
    if index.format_version < (2, 2):
        added |= _no_groups(len(index.title_ids))
    elif index.format_version < (2, 3):
        index = msgspec.structs.replace(index, groups=[f"{OF_AGE}{band}" for band in index.age_bands])
        added |= _groups_by_age(folder)
    mapped = {
        field.name: _map_array(folder / f"{field.name}.npy")
        for field in fields(OnlineArrays)
        if field.name not in added
    }
    arrays = OnlineArrays(**mapped, **added)
    _check_sizes(folder, index, arrays)
    return index, arrays


def no_unanswered(viewer_count: int) -> dict[str, np.ndarray]:
    """The arrays of a model that knows nothing of what was shown."""
    return {
        "unanswered_starts": np.zeros(viewer_count + 1, np.int64),
        "unanswered_titles": np.empty(0, np.uint32),
        "unanswered_days": np.empty(0, np.uint8),
    }


def _no_groups(title_count: int) -> dict[str, np.ndarray]:
    """The arrays of a model that knows nothing of viewers but what they watched."""
    return {
        "group_trend": np.empty((0, title_count), np.float16),
        "known_viewer_ids": np.empty(0, np.bytes_),
        "known_viewer_groups": np.empty(0, np.uint64),
    }


def _groups_by_age(folder: Path) -> dict[str, np.ndarray]:
    """The same arrays of a model that knows ages alone."""
    return {
        "group_trend": _map_array(folder / "age_trend.npy"),
        "known_viewer_ids": _map_array(folder / "aged_viewer_ids.npy"),
        "known_viewer_groups": np.uint64(1) << _map_array(folder / "aged_viewer_bands.npy").astype(np.uint64),
    }


def _read_index(path: Path) -> OnlineIndex:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=OnlineIndex)
    except FileNotFoundError:
        raise ModelFolderError(f"no {path.name} in {path.parent}; publish a model there first") from None
    except msgspec.MsgspecError as error:
        raise ModelFolderError(f"{path} cannot be read ({error}); publish the model again") from error


def _map_array(path: Path) -> np.ndarray:
    try:
        mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
        return mapped  # still mapped, without the price that np.memmap adds to every indexing
    except FileNotFoundError:
        raise ModelFolderError(f"no {path.name} in {path.parent}; publish the model again") from None
    except (ValueError, EOFError, OSError) as error:
        raise ModelFolderError(f"{path} cannot be mapped ({error}); publish the model again") from error


def _check_sizes(folder: Path, index: OnlineIndex, arrays: OnlineArrays) -> None:
    viewers, titles = len(arrays.viewer_ids), len(index.title_ids)
    expected = {
        "viewer_regions": viewers,
        "history_starts": viewers + 1,
        "history_weights": len(arrays.history_titles),
        "ease_titles": titles,
        "ease_weights": titles,
        "rule_titles": titles,
        "rule_weights": titles,
        "trend": len(index.region_ids),
        "group_trend": len(index.groups),
        "known_viewer_groups": len(arrays.known_viewer_ids),
        "recommendable": titles,
        "genres": titles,
        "title_features": titles,
        "viewer_idle_days": viewers,
        "tree_thresholds": len(arrays.tree_features),
        "tree_values": len(arrays.tree_features),
        "top_titles": viewers,
        "top_scores": viewers,
        "top_reasons": viewers,
        "top_because": viewers,
        "unanswered_starts": viewers + 1,
        "unanswered_days": len(arrays.unanswered_titles),
        "viewer_factors": viewers,
        "viewer_biases": viewers,
        "title_factors": titles,
        "title_biases": titles,
    }
    for name, rows in expected.items():
        found = len(getattr(arrays, name))
        if found != rows:
            raise ModelFolderError(f"{folder / name}.npy has {found} rows where {rows} belong; publish the model again")
