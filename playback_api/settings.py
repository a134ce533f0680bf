"""What each server process is told at start: one struct per application, read from the environment.

``MATINEE_<FIELD>`` in capitals gives a field, a table as a JSON object; what has no default must be given. Values that
are the same for every process of one installation (the secret, the folders) come from the same variables for all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar, get_origin, get_type_hints

import msgspec

SettingsType = TypeVar("SettingsType", bound=msgspec.Struct)


class ServingSettingsError(Exception):
    """A setting of a server process is missing or cannot be read."""


class ControlSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The control API.

    Attributes:
        store_folder: Root of the object store; ``snapshots/`` is read there, and which keys a protected package has.
        profile_path: SQLite file of the live profiles.
        event_log_folder: Where impressions are logged, in a folder named ``writer_name``.
        secret: Signs playback tokens, verifies signed calls, and is what content keys are derived from.
        public_url: How clients reach this API.
        beats_url: Where clients post heartbeats.
        edge_urls, origin_url: Base URLs by edge id, and the origin's, as they are now. They take the place of those in
            the snapshot, which are of the moment it was published; an edge that is not named keeps the snapshot's.
        snapshot_poll_s, inventory_poll_s: How often the pointer and the edges' inventories are looked at.
        beat_interval_s: How often clients are asked to send heartbeats.
    """

    store_folder: Path
    profile_path: Path
    event_log_folder: Path
    secret: str
    public_url: str = "http://127.0.0.1:8801"
    beats_url: str = "http://127.0.0.1:8802/v1/beats"
    edge_urls: dict[str, str] = {}
    origin_url: str | None = None
    writer_name: str = "control-0"
    snapshot_poll_s: float = 2.0
    inventory_poll_s: float = 2.0
    beat_interval_s: float = 10.0


class CollectorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The heartbeat collector; ``writer_name`` must be its own among all writers of the log folder."""

    event_log_folder: Path
    profile_path: Path
    writer_name: str = "collector-0"


class OriginSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The origin: the media store over HTTP."""

    store_folder: Path


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One edge node.

    Attributes:
        folder: Its disk.
        capacity_bytes: How much of it media may take, placed and pulled together.
        pull_reserve_share: Share of the capacity that placements leave to pull-through.
        upstream_url: The origin, or a nearer parent.
        upstream_latency_s, upstream_rate_bps: Emulated distance to it, both ways together; reported, not slept.
        secret: Verifies signed fill and purge calls.
        max_in_flight: Requests that it can work on at a time; this many are a load of 1.
        viewer_rate_bps: What its link to viewers carries; this much is a load of 1 too. None where the link is not
            real, so that bytes per second of this host's clock say nothing about it.
    """

    edge_id: str
    folder: Path
    capacity_bytes: int
    upstream_url: str
    secret: str
    pull_reserve_share: float = 0.1
    upstream_latency_s: float = 0.0
    upstream_rate_bps: float = 1e9
    max_in_flight: Annotated[int, msgspec.Meta(ge=1)] = 256
    viewer_rate_bps: Annotated[float, msgspec.Meta(gt=0)] | None = None


def read_serving_settings(kind: type[SettingsType], environment: Mapping[str, str] = os.environ) -> SettingsType:
    """Read one application's settings from ``MATINEE_*`` variables.

    Raises:
        ServingSettingsError: A variable is missing or has the wrong form; the message names it.
    """
    given: dict[str, object] = {
        name: environment[f"MATINEE_{name.upper()}"]
        for name in kind.__struct_fields__
        if f"MATINEE_{name.upper()}" in environment
    }
    for name, form in get_type_hints(kind).items():
        if name in given and get_origin(form) is dict:
            given[name] = _read_table(kind, name, environment[f"MATINEE_{name.upper()}"])
    try:
        return msgspec.convert(given, kind, strict=False, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        raise ServingSettingsError(f"{kind.__name__}: {error}; set it as MATINEE_<FIELD> in the environment") from error


def _read_table(kind: type[msgspec.Struct], name: str, text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ServingSettingsError(
            f"{kind.__name__}: MATINEE_{name.upper()} is no JSON object such as "
            f'{{"name": "http://127.0.0.1:8810"}}: {error}'
        ) from error


def _decode_path(wanted: type, value: object) -> object:
    if wanted is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"no conversion to {wanted}")
