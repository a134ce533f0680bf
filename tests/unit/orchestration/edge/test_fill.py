import httpx
import msgspec
import polars as pl
import pytest

from orchestration.edge.client import EdgeClient
from orchestration.edge.errors import PlanUnusableError
from orchestration.edge.fill import drive_fills, plan_fills
from orchestration.edge.plan import plan_from_rows


def files(*groups):
    """(title, rung, segment group, number of objects) -> object files."""
    records = []
    for title_id, rung, segment_group, count in groups:
        records += [
            {
                "title_id": title_id,
                "package_id": "pk",
                "key": f"r/{rung}/{segment_group}-{number}.m4s",
                "rung": rung,
                "segment_group": segment_group,
                "size_bytes": 10,
                "sha256": f"{number:064x}",
            }
            for number in range(count)
        ]
    return pl.DataFrame(records)


def plan_of(*groups):
    """(edge, title, rung, segment group) in rank order -> a plan."""
    records = [
        {
            "plan_id": "p-1",
            "region_id": "eu",
            "edge_id": edge_id,
            "title_id": title_id,
            "package_id": "pk",
            "rung": rung,
            "segment_group": segment_group,
            "value": 100.0 - rank,
            "size_bytes": 10,
            "rank": rank,
        }
        for rank, (edge_id, title_id, rung, segment_group) in enumerate(groups)
    ]
    return plan_from_rows("p-1", "eu", pl.DataFrame(records))


def order_of(fill):
    return [(group.title_id, group.rung, group.segment_group, len(group.objects)) for group in fill.order.groups]


class TestPlanFills:
    def test_one_order_an_edge_in_rank_order_with_a_titles_manifest_before_its_first_group(self):
        plan = plan_of(
            ("e-1", "a", "240p", 0),
            ("e-2", "b", "240p", 0),
            ("e-1", "b", "480p", 0),
            ("e-1", "a", "240p", 1),
            ("e-1", "a", "manifest", 0),
            ("e-1", "b", "manifest", 0),
        )
        object_files = files(
            ("a", "240p", 0, 2), ("a", "240p", 1, 1), ("a", "manifest", 0, 3), ("b", "240p", 0, 1),
            ("b", "480p", 0, 1), ("b", "manifest", 0, 1), ("c", "240p", 0, 1),
        )  # fmt: skip
        first, second = plan_fills(plan, object_files, upstream_url="http://origin", rate_bps=5, stop_at=9.0)
        assert (first.edge_id, second.edge_id) == ("e-1", "e-2")
        assert order_of(first) == [
            ("a", "manifest", 0, 3),
            ("a", "240p", 0, 2),
            ("b", "manifest", 0, 1),
            ("b", "480p", 0, 1),
            ("a", "240p", 1, 1),
        ]
        assert first.order.groups[1].objects[0].key == "a/r/240p/0-0.m4s"
        assert (first.order.plan_id, first.order.rate_bps, first.order.stop_at) == ("p-1", 5, 9.0)
        assert first.notes == ()

    def test_notes_what_the_plan_lacks_and_invents_nothing(self):
        object_files = files(("a", "240p", 0, 1), ("a", "manifest", 0, 1), ("a", "audio-en", 0, 1))
        (fill,) = plan_fills(
            plan_of(("e-1", "a", "240p", 0), ("e-1", "z", "240p", 0)), object_files, upstream_url="http://origin"
        )
        assert order_of(fill) == [("a", "240p", 0, 1)]
        assert fill.unknown_groups == 1
        assert fill.notes == (
            "1 groups have no files any more: packaged anew since the plan was made",
            "1 titles are planned without their manifests",
            "1 titles are planned without their audio",
        )

    def test_files_without_hashes_are_refused(self):
        with pytest.raises(PlanUnusableError, match="sha256"):
            plan_fills(plan_of(("e-1", "a", "240p", 0)), files(("a", "240p", 0, 1)).drop("sha256"), upstream_url="x")


class ScriptedEdge:
    """An edge that answers progress calls from a script; None in it means silence."""

    def __init__(self, *progress, refusal=None):
        self.progress = list(progress)
        self.refusal = refusal
        self.orders = []
        self.purges = 0

    def answer(self, request):
        if request.url.path == "/edge/inventory":
            inventory = {"edge_id": "e", "generation": 3, "plan_id": "p-1", "capacity_bytes": 9, "placed_bytes": 0}
            return httpx.Response(200, json=inventory | {"cached_bytes": 0, "complete": {"a": {"240p": [0]}}})
        if request.url.path == "/edge/purge":
            self.purges += 1
            removed = {"placed_objects": 4, "placed_bytes": 40, "cached_objects": 0, "cached_bytes": 0}
            return httpx.Response(200, json=removed | {"generation": 3})
        if request.method == "POST":
            if self.refusal is not None:
                return self.refusal
            self.orders.append(msgspec.json.decode(request.content))
            return httpx.Response(202, json={"plan_id": "p-1", "state": "filling", "objects_wanted": 2})
        step = self.progress.pop(0) if len(self.progress) > 1 else self.progress[0]
        if step is None:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={"plan_id": "p-1", "objects_wanted": 2} | step)


def drive(edges, **options):
    object_files = files(("a", "240p", 0, 2), ("a", "240p", 1, 1))
    groups = [(edge_id, "a", "240p", n) for edge_id in edges for n in (0, 1)]
    fills = plan_fills(plan_of(*groups), object_files, upstream_url="http://origin")
    now = [0.0]

    def sleep(duration_s):
        now[0] += duration_s

    def answer(request):
        return edges[request.url.host].answer(request)

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        clients = {edge_id: EdgeClient(edge_id, f"http://{edge_id}", "s", http=http) for edge_id in edges}
        for edge_id, edge in edges.items():
            if edge is None:
                del clients[edge_id]
        report = drive_fills(fills, clients, plan_id="p-1", clock=lambda: now[0], sleep=sleep, **options)
    return {edge.edge_id: edge for edge in report.edges}, report


FILLING = {"state": "filling", "objects_done": 1, "eta_s": 8.0}
COMPLETE = {
    "state": "complete",
    "objects_done": 2,
    "objects_already_there": 1,
    "bytes_moved": 10,
    "bytes_from_siblings": 4,
    "paused_s": 6.5,
}


class TestDriveFills:
    def test_follows_to_the_end_then_purges_what_is_outside_the_plan(self):
        seen = []
        edge = ScriptedEdge(FILLING, FILLING, COMPLETE)
        results, report = drive({"e-1": edge}, on_progress=lambda edge_id, progress: seen.append(progress.state))
        result = results["e-1"]
        assert seen == ["filling", "filling", "complete"]
        assert (result.state, result.objects_filled, result.objects_already_there) == ("complete", 1, 1)
        assert (result.stale_objects, result.stale_bytes, edge.purges) == (4, 40, 1)
        assert (result.missing_groups, result.generation) == (1, 3)
        assert (result.expected_s, result.duration_s, result.paused_s) == (8.0, 2.0, 6.5)
        assert report.complete_edges == 1
        assert "| e-1 | complete | 2 | 1 | 1 |" in report.as_markdown()
        assert (result.bytes_moved, report.bytes_from_siblings) == (10, 4)
        assert "| 2.0 | 6.5 | 4 |" in report.as_markdown()

    def test_edges_in_trouble_are_reported_and_the_others_go_on(self):
        too_large = httpx.Response(413, json={"detail": "the plan has 99 bytes", "extra": {"plan_bytes": 99}})
        failed = {"state": "failed", "failed_count": 1, "failed": [{"key": "a/x", "reason": "sha256 is wrong"}]}
        results, report = drive(
            {
                "e-1": ScriptedEdge(COMPLETE),
                "e-2": ScriptedEdge(COMPLETE, refusal=too_large),
                "e-3": ScriptedEdge(FILLING, None),
                "e-4": ScriptedEdge(failed),
                "e-5": None,
            }
        )
        assert {edge_id: edge.state for edge_id, edge in results.items()} == {
            "e-1": "complete",
            "e-2": "refused",
            "e-3": "unreachable",
            "e-4": "failed",
            "e-5": "unreachable",
        }
        assert "99 bytes" in results["e-2"].reason
        assert "does not answer" in results["e-3"].reason
        assert "a/x: sha256 is wrong" in results["e-4"].reason
        assert "no address" in results["e-5"].reason
        assert (report.complete_edges, report.objects_failed) == (1, 1)

    def test_short_silence_is_waited_out(self):
        results, _ = drive({"e-1": ScriptedEdge(FILLING, None, None, FILLING, COMPLETE)})
        assert results["e-1"].state == "complete"

    def test_edge_that_restarted_gets_its_order_again(self):
        edge = ScriptedEdge(FILLING, {"state": "interrupted"}, {"state": "idle", "plan_id": None}, FILLING, COMPLETE)
        results, _ = drive({"e-1": edge})
        assert results["e-1"].state == "complete"
        assert len(edge.orders) == 3

    def test_edge_whose_window_closed_is_left_alone(self):
        edge = ScriptedEdge({"state": "interrupted", "error": "the fill window closed"})
        results, _ = drive({"e-1": edge})
        assert (results["e-1"].state, len(edge.orders), edge.purges) == ("interrupted", 1, 0)

    def test_fill_of_another_plan_ends_the_watch(self):
        results, _ = drive({"e-1": ScriptedEdge({"state": "filling", "plan_id": "p-2"})})
        assert (results["e-1"].state, results["e-1"].reason) == ("interrupted", "another fill took over: p-2")

    def test_edge_that_never_ends_is_left_to_itself(self):
        results, _ = drive({"e-1": ScriptedEdge(FILLING)}, timeout_s=20)
        assert results["e-1"].state == "timed-out"
