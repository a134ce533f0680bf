"""How soon a home page shows what was just watched: from a beat that the collector took to a page with other titles.

Usage: ``PYTHONPATH=. python benchmarks/recs_live.py`` starts the collector and the control API as processes of their
own with the settings that production has, over a model of drawn viewing. One viewer after the other opens the page
twice, sends one beat from near the end of a title that the page does not show, and asks for the page again and again
until its top picks are other titles. The page is asked for in a row, so that a delay is never shorter than one page.

Beside it in the same run: the page of viewers who watch nothing; how often pages change without a beat, which must be
never; the delay while other viewers send beats too; and the last step of the batch path, from a newly published
snapshot to a page that is made from it; ingest, dbt, training and publishing come before that and are not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from benchmarks.recs_scale import REGIONS, SEED, draw_titles, draw_viewing
from ml.recommender import Recipe, publish, read_interactions, read_title_facts
from ml.recommender.affinity import fit_affinity
from ml.recommender.top_n import fit_top_n
from orchestration.edge.topology import Network
from orchestration.services import ServiceFleet, any_free_port, serving_services
from orchestration.settings import Settings, read_settings
from playback_api.domain.home.rows import POPULAR, TOP_PICKS
from playback_api.snapshot.testing import make_content, publish_content

TRAINED_VIEWERS = 2000
TITLES = 2000
GIVEN_UP_AFTER_S = 30.0
PUBLICATIONS = 30
SNAPSHOT_POLL_S = 2.0
"""As ``ControlSettings`` has it; publications are spread over it."""
DURATION_S = 3600.0
WATCHED_SHARE = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=100, help="measured in each row")
    parser.add_argument("--other-beats", type=float, default=200.0, help="beats a second of other viewers")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        settings = settings_of(Path(home))
        model = Path(home, "model")
        publish_model(model)
        publish_snapshot(settings, model)
        wanted = ("collector", "control")
        services = [
            service
            for service in serving_services(settings, Network(regions=(), edges=()), {})
            if service.name in wanted
        ]
        with ServiceFleet(settings.home / "logs") as fleet:
            fleet.start(services)
            asyncio.run(measure(settings, model, arguments.viewers, arguments.other_beats))


def settings_of(home: Path) -> Settings:
    """An installation of its own, at free ports."""
    urls = {f"MATINEE_{name}_URL": f"http://127.0.0.1:{any_free_port()}" for name in ("CONTROL", "COLLECTOR", "ORIGIN")}
    return read_settings({"MATINEE_HOME": str(home), "MATINEE_SECRET": "benchmark", **urls})


def publish_model(folder: Path) -> None:
    """A first stage with stored lists of all viewers, as training would leave it."""
    facts = read_title_facts(draw_titles(TITLES))
    interactions = read_interactions(draw_viewing(TRAINED_VIEWERS, TITLES), title_ids=facts.title_ids)
    affinity = fit_affinity(interactions, seed=SEED)
    publish(folder, fit_top_n(interactions, Recipe()), affinity, interactions, facts, model_version="benchmark")


def publish_snapshot(settings: Settings, model: Path) -> str:
    """Publish a snapshot of now with the model; no edge of it is up. Returns its id."""
    content = make_content(title_count=TITLES, recommender_folder=model)
    return publish_content(settings.store_folder, content, clock=lambda: dt.datetime.now(dt.UTC)).snapshot_id


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is looked at of an answer: ``picks`` is the main row."""

    snapshot_id: str
    picks: tuple[str, ...]
    shown: frozenset[str]


@dataclass(kw_only=True)
class Delays:
    """Seconds of each viewer of a row, and what went wrong."""

    page_s: list[float] = field(default_factory=list)
    accepted_s: list[float] = field(default_factory=list)
    changed_s: list[float] = field(default_factory=list)
    changed_without_beat: int = 0
    never_changed: int = 0


class Viewers:
    """The clients of one installation."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._generator = np.random.default_rng(SEED)

    async def page(self, viewer_id: str) -> Page:
        """The viewer's home page."""
        region_id = REGIONS[int(viewer_id) % len(REGIONS)]
        answer = await self._client.get(
            f"{self._settings.control_url}/v1/home", params={"viewer_id": viewer_id, "region_id": region_id}
        )
        answer.raise_for_status()
        content = answer.json()
        rows = {row["row_id"]: tuple(item["title"]["title_id"] for item in row["titles"]) for row in content["rows"]}
        return Page(
            snapshot_id=content["snapshot_id"],
            picks=rows.get(TOP_PICKS, rows.get(POPULAR, ())),
            shown=frozenset().union(*rows.values()),
        )

    async def beat(self, viewer_id: str, title_id: str) -> None:
        """One beat from near the end of a title; returns when the collector has it on disk."""
        beat = {
            "session_id": f"{viewer_id}-{title_id}",
            "boot": 0,
            "seq": 0,
            "sent_at": dt.datetime.now(dt.UTC).isoformat(),
            "kind": "playing",
            "viewer_id": viewer_id,
            "title_id": title_id,
            "region": REGIONS[int(viewer_id) % len(REGIONS)],
            "duration_s": DURATION_S,
            "position_s": WATCHED_SHARE * DURATION_S,
        }
        answer = await self._client.post(
            f"{self._settings.collector_url}/v1/beats", json={"version": 1, "beats": [beat]}
        )
        answer.raise_for_status()
        if answer.json()["accepted"] != 1:
            raise RuntimeError(f"the collector refused a beat: {answer.text}")

    async def delays(self, viewer_ids: Sequence[str]) -> Delays:
        """Each viewer's delay, one after the other."""
        delays = Delays()
        for viewer_id in viewer_ids:
            first = await self.page(viewer_id)
            started = time.perf_counter()
            before = await self.page(viewer_id)
            delays.page_s.append(time.perf_counter() - started)
            delays.changed_without_beat += before.picks != first.picks

            sent = time.perf_counter()
            await self.beat(viewer_id, self.unshown_title(before))
            accepted = time.perf_counter()
            delays.accepted_s.append(accepted - sent)
            while (await self.page(viewer_id)).picks == before.picks:
                if time.perf_counter() - accepted > GIVEN_UP_AFTER_S:
                    delays.never_changed += 1
                    break
            delays.changed_s.append(time.perf_counter() - accepted)
        return delays

    def unshown_title(self, page: Page) -> str:
        """A title that is nowhere on the page, so that taking it off is not what changes the picks."""
        while True:
            title_id = f"s-{self._generator.integers(1, TITLES + 1):04d}"
            if title_id not in page.shown:
                return title_id

    @asynccontextmanager
    async def others_beat(self, beats_per_s: float) -> AsyncIterator[None]:
        """Meanwhile other viewers send beats, each a batch of its own."""

        async def send(number: int) -> None:
            await self.beat(f"{10**8 + number}", f"s-{1 + number % TITLES:04d}")

        async def go_on() -> None:
            started, number = time.perf_counter(), 0
            async with asyncio.TaskGroup() as group:
                while True:
                    group.create_task(send(number))
                    number += 1
                    await asyncio.sleep(max(0.0, started + number / beats_per_s - time.perf_counter()))

        task = asyncio.create_task(go_on())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def publications(self, model: Path) -> list[float]:
        """Seconds from each newly named snapshot to the first page that is made from it."""
        delays_s = []
        for _ in range(PUBLICATIONS):
            await asyncio.sleep(self._generator.uniform(0, SNAPSHOT_POLL_S))
            wanted = await asyncio.to_thread(publish_snapshot, self._settings, model)
            published = time.perf_counter()
            while (await self.page("00000000")).snapshot_id != wanted:
                await asyncio.sleep(0.01)
            delays_s.append(time.perf_counter() - published)
        return delays_s


async def measure(settings: Settings, model: Path, count: int, other_beats_per_s: float) -> None:
    """Print the table."""
    known = [f"{number:08d}" for number in range(2 * count)]
    new = [f"{10**7 + number}" for number in range(count)]
    async with httpx.AsyncClient(timeout=GIVEN_UP_AFTER_S) as client:
        viewers = Viewers(client, settings)
        for viewer_id in known[-len(REGIONS) :]:  # the shelf of the day is made once a region
            await viewers.page(viewer_id)
        quiet, unheard_of = await viewers.delays(known[:count]), await viewers.delays(new)
        async with viewers.others_beat(other_beats_per_s):
            busy = await viewers.delays(known[count:])
        batch_s = await viewers.publications(model)
    print("| | times | p50, ms | p99, ms |")
    print("|---|---|---|---|")
    print_row("a page, nothing watched (baseline)", quiet.page_s)
    print_row("a beat until it is accepted", quiet.accepted_s)
    print_row("accepted beat to changed page, viewers known to training", quiet.changed_s)
    print_row("accepted beat to changed page, viewers never seen", unheard_of.changed_s)
    print_row(f"a page, nothing watched, {other_beats_per_s:.0f} beats a second of others (baseline)", busy.page_s)
    print_row("accepted beat to changed page meanwhile, viewers known to training", busy.changed_s)
    print_row("batch path, last step: published snapshot to a page made from it", batch_s)
    rows = (quiet, unheard_of, busy)
    print(f"\npages changed without a beat: {sum(row.changed_without_beat for row in rows)} of {3 * count}")
    print(f"pages that a beat did not change: {sum(row.never_changed for row in rows)} of {3 * count}")


def print_row(name: str, seconds: Sequence[float]) -> None:
    """One line of the table."""
    p50, p99 = 1e3 * np.quantile(seconds, [0.5, 0.99])
    print(f"| {name} | {len(seconds)} | {p50:.1f} | {p99:.1f} |")


if __name__ == "__main__":
    main()
