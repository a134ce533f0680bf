"""The control API as its clients see it: real snapshots, profiles and event log; edges behind a transport."""

import base64
import dataclasses
import datetime as dt

import httpx
import msgspec
import pytest
from litestar.testing import AsyncTestClient

from playback_api.control import ControlPorts, create_control_app
from playback_api.events import SegmentLogReader, decode_record
from playback_api.profile import Preferences, Progress, SqliteProfileStore
from playback_api.settings import ControlSettings
from playback_api.snapshot.testing import NOON, make_content, publish_content


class Edges:
    """Answers for every edge of the test topology; each holds what it is told to."""

    def __init__(self):
        self.complete = {"north-1": {}, "north-2": {}, "south-1": {}}
        self.generation = dict.fromkeys(self.complete, 1)
        self.packages = {}
        self.load = {}
        self.domains = {}
        self.down = set()
        self.asked = []

    def hold(self, edge_id, placed):
        self.complete[edge_id] = placed
        self.generation[edge_id] += 1

    async def __call__(self, request):
        edge_id, _, domain = request.url.host.partition(".")
        if domain != self.domains.get(edge_id, "test"):
            raise httpx.ConnectError("nobody is there any more", request=request)
        self.asked.append((edge_id, request.url.path))
        if edge_id in self.down:
            raise httpx.ConnectError("connection refused", request=request)
        if request.url.path == "/edge/stats":
            stats = {"requests": 7, "hits_placed": 5, "cached_bytes": 77, "load": self.load.get(edge_id, 0.0)}
            return httpx.Response(200, json=stats)
        if request.url.params.get("since") == str(self.generation[edge_id]):
            return httpx.Response(304)
        inventory = {
            "edge_id": edge_id,
            "generation": self.generation[edge_id],
            "plan_id": "plan-1",
            "capacity_bytes": 100,
            "placed_bytes": 10,
            "cached_bytes": 5,
            "complete": self.complete[edge_id],
            "packages": self.packages,
        }
        return httpx.Response(200, json=inventory)


@dataclasses.dataclass
class World:
    store: object
    settings: ControlSettings
    edges: Edges
    now: list
    elapsed_s: list
    app: object = None

    def publish(self, **changes):
        clock = changes.pop("clock", lambda: self.now[0])
        return publish_content(self.store, make_content(**changes), clock=clock)


@pytest.fixture
def world(tmp_path):
    settings = ControlSettings(
        store_folder=tmp_path / "store",
        profile_path=tmp_path / "profile.sqlite",
        event_log_folder=tmp_path / "events",
        secret="secret",
        public_url="http://control.test",
        snapshot_poll_s=3600.0,
        inventory_poll_s=3600.0,
    )
    made = World(store=tmp_path / "store", settings=settings, edges=Edges(), now=[NOON], elapsed_s=[100.0])
    ports = ControlPorts(
        clock=lambda: made.now[0],
        monotonic=lambda: made.elapsed_s[0],
        edge_transport=httpx.MockTransport(made.edges),
    )
    made.app = create_control_app(settings, ports)
    return made


@pytest.fixture
async def client(world):
    world.publish()
    async with AsyncTestClient(world.app) as opened:
        yield opened


def session_request(**changes):
    return {
        "viewer_id": "v-000001", "title_id": "s-0001", "region_id": "north", "device": "desktop",
        "network_class": "fast",
    } | changes  # fmt: skip


async def start_session(client, **changes):
    response = await client.post("/v1/playback/sessions", json=session_request(**changes))
    assert response.status_code == 201, response.text
    return response.json()


def ids(session):
    return [pathway["pathway_id"] for pathway in session["pathways"]]


async def test_without_a_snapshot_everything_but_health_says_come_back(world):
    async with AsyncTestClient(world.app) as client:
        assert (await client.get("/system/health")).json() == {"status": "ok"}
        ready = await client.get("/system/ready")
        assert ready.status_code == 503
        assert ready.json()["problems"] == ["no snapshot is served yet"]
        for path in ("/v1/home?viewer_id=v-1&region_id=north", "/v1/search?q=x", "/v1/catalogue/titles"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "2"
            assert answer.json()["status_code"] == 503
        assert (await client.post("/v1/playback/sessions", json=session_request())).status_code == 503


async def test_a_session_has_all_that_a_player_needs(client):
    session = await start_session(client)
    assert set(ids(session)[:2]) == {"north-1", "north-2"}
    assert ids(session)[-1] == "origin"
    assert session["package_id"] == "pkg0001"
    assert session["hls_path"] == "media/s-0001/p/pkg0001/master.m3u8"
    assert session["steering_url"].startswith(f"http://control.test/v1/steering/{session['session_id']}?token=")
    assert session["beat_interval_s"] == 10.0
    assert session["startup_bitrate_bps"] == 4_500_000
    assert session["resume_position_s"] == 0.0
    assert dt.datetime.fromisoformat(session["expires_at"]) == NOON + dt.timedelta(hours=4)


async def test_edges_and_origin_that_moved_are_asked_and_named_where_they_are_now(world):
    moved = msgspec.structs.replace(
        world.settings,
        edge_urls={"north-1": "http://north-1.moved/", "unheard-of": "http://nowhere.test"},
        origin_url="http://origin.moved",
    )
    world.edges.domains = {"north-1": "moved"}
    world.publish()
    app = create_control_app(moved, ControlPorts(edge_transport=httpx.MockTransport(world.edges)))
    async with AsyncTestClient(app) as client:
        session = await start_session(client)
        base_url_of = {pathway["pathway_id"]: pathway["base_url"] for pathway in session["pathways"]}
        assert base_url_of == {
            "north-1": "http://north-1.moved", "north-2": "http://north-2.test", "origin": "http://origin.moved",
        } | ({"south-1": "http://south-1.test"} if "south-1" in base_url_of else {})  # fmt: skip
        page = (await client.get("/v1/home?viewer_id=v-000001&region_id=atlantis")).json()
        assert page["artwork_base_url"] == "http://origin.moved"
        report = (await client.get("/system/edges")).json()
        assert report["origin_url"] == "http://origin.moved"
        assert {edge["base_url"] for edge in report["edges"] if edge["healthy"]} == {
            "http://north-1.moved", "http://north-2.test", "http://south-1.test",
        }  # fmt: skip

        assert not (await client.post("/system/reload")).json()["changed"]
        newer = world.publish(title_count=3, clock=lambda: NOON + dt.timedelta(minutes=1))
        assert (await client.post("/system/reload")).json()["snapshot_id"] == newer.snapshot_id
        again = await start_session(client)
        assert again["pathways"][-1]["base_url"] == "http://origin.moved"


async def test_the_edge_that_reports_the_planned_title_comes_first_once_it_reports_it(world, client):
    for holder in ("north-1", "north-2"):
        whole = {rung: [0, 1, 2, 3] for rung in ("manifest", "240p", "480p", "1080p")}
        world.publish(placement={holder: {"s-0001": whole}}, clock=lambda: world.now[0] + dt.timedelta(seconds=1))
        world.edges.hold(holder, {"s-0001": whole})
        await client.post("/system/reload")
        firsts = {ids(await start_session(client))[0] for _ in range(8)}
        assert firsts == {holder}


async def test_an_edge_that_says_it_is_full_is_passed_over_until_it_has_room(world, client):
    whole = {rung: [0, 1, 2, 3] for rung in ("manifest", "240p", "480p", "1080p")}
    world.publish(
        placement={edge_id: {"s-0001": whole} for edge_id in ("north-1", "north-2")},
        clock=lambda: NOON + dt.timedelta(seconds=1),
    )
    world.edges.hold("north-1", {"s-0001": whole})
    world.edges.hold("north-2", {"s-0001": whole})
    await client.post("/system/reload")
    sessions = [await start_session(client) for _ in range(16)]
    assert {ids(session)[0] for session in sessions} == {"north-1", "north-2"}

    world.edges.load = {"north-1": 0.95}
    await client.post("/system/reload")
    started = [ids(await start_session(client)) for _ in range(16)]
    assert {pathways[0] for pathways in started} == {"north-2"}
    assert all(pathways[1] == "north-1" for pathways in started), "still a fallback"
    running = next(session for session in sessions if ids(session)[0] == "north-1")
    url = running["steering_url"].removeprefix("http://control.test")
    steered = (await client.get(f"{url}&_HLS_pathway=north-1")).json()
    assert steered["PATHWAY-PRIORITY"][:2] == ["north-2", "north-1"]
    assert 'matinee_control_edge_load{edge="north-1"} 0.95' in (await client.get("/metrics")).text

    world.edges.load = {}
    await client.post("/system/reload")
    assert "north-1" in {ids(await start_session(client))[0] for _ in range(16)}


async def test_an_edge_with_an_old_package_is_not_preferred_at_the_start_and_while_it_runs(world, client):
    whole = {rung: [0, 1, 2, 3] for rung in ("manifest", "240p", "480p", "1080p")}
    world.publish(placement={"south-1": {"s-0001": whole}, "north-1": {"s-0001": whole}})
    world.edges.packages = {"s-0001": "pkg-old"}
    world.edges.hold("north-1", {"s-0001": whole})
    await client.post("/system/reload")
    sessions = [await start_session(client) for _ in range(32)]
    hashed = {ids(session)[0] for session in sessions}
    assert hashed == {"north-1", "north-2"}, "as if neither held it"
    other = next(session for session in sessions if ids(session)[0] == "north-2")
    url = other["steering_url"].removeprefix("http://control.test")
    steered = (await client.get(f"{url}&_HLS_pathway=north-2")).json()
    assert steered["PATHWAY-PRIORITY"][0] == "north-2"
    world.edges.packages = {"s-0001": "pkg0001"}
    world.edges.hold("north-1", {"s-0001": whole})
    await client.post("/system/reload")
    steered = (await client.get(f"{url}&_HLS_pathway=north-2")).json()
    assert steered["PATHWAY-PRIORITY"][0] == "north-1"


async def test_errors_have_one_form(world, client):
    unknown = await client.post("/v1/playback/sessions", json=session_request(title_id="nope"))
    assert unknown.status_code == 404
    assert unknown.json() == {
        "status_code": 404, "detail": "no title 'nope' in the catalogue", "extra": {"title_id": "nope"},
    }  # fmt: skip
    malformed = await client.post("/v1/playback/sessions", json=session_request(viewer_id="No Such"))
    assert malformed.status_code == 400
    assert set(malformed.json()) == {"status_code", "detail", "extra"}

    mature = await client.post("/v1/playback/sessions", json=session_request(title_id="s-0007", max_age=12))
    assert mature.status_code == 403


async def test_a_title_outside_its_licence_is_451_and_in_no_list(world, client):
    content = make_content(title_count=4)
    ended = msgspec.structs.replace(content.titles[1], licence_end=dt.date(2026, 9, 30))
    future = msgspec.structs.replace(content.titles[2], licence_start=dt.date(2026, 10, 2))
    content.titles[1:3] = [ended, future]
    publish_content(world.store, content, clock=lambda: NOON + dt.timedelta(hours=1))
    await client.post("/system/reload")

    for title_id in ("s-0002", "s-0003"):
        assert (await client.post("/v1/playback/sessions", json=session_request(title_id=title_id))).status_code == 451
        assert (await client.get(f"/v1/catalogue/titles/{title_id}")).status_code == 451
    listed = (await client.get("/v1/catalogue/titles")).json()["titles"]
    assert {title["title_id"] for title in listed} == {"s-0001", "s-0004"}
    found = (await client.get("/v1/search?q=harbour")).json()["titles"]
    assert {title["title_id"] for title in found} == {"s-0001", "s-0004"}
    home = (await client.get("/v1/home?viewer_id=v-1&region_id=north")).json()
    assert {item["title"]["title_id"] for row in home["rows"] for item in row["titles"]} == {"s-0001", "s-0004"}


async def test_steering_for_hls_and_dash(world, client):
    session = await start_session(client)
    url = session["steering_url"].removeprefix("http://control.test")
    hls = (await client.get(f"{url}&_HLS_pathway={ids(session)[0]}&_HLS_throughput=5000000")).json()
    assert hls == {
        "VERSION": 1, "TTL": 60, "RELOAD-URI": session["steering_url"], "PATHWAY-PRIORITY": ids(session),
    }  # fmt: skip
    dash = (await client.get(f"{url}&_DASH_pathway={ids(session)[0]}")).json()
    assert dash["SERVICE-LOCATION-PRIORITY"] == ids(session)
    assert "PATHWAY-PRIORITY" not in dash


async def test_a_session_is_steered_off_an_edge_that_fell_and_asked_back_soon(world, client):
    session = await start_session(client)
    first, second = ids(session)[:2]
    world.edges.down.add(first)
    await client.post("/system/reload")
    await client.post("/system/reload")

    url = session["steering_url"].removeprefix("http://control.test")
    manifest = (await client.get(f"{url}&_HLS_pathway={first}")).json()
    assert manifest["PATHWAY-PRIORITY"][0] == second
    assert first not in manifest["PATHWAY-PRIORITY"]
    assert manifest["TTL"] == 10


async def test_steering_is_410_after_the_end_and_401_without_a_good_token(world, client):
    session, other = await start_session(client), await start_session(client)
    path = f"/v1/steering/{session['session_id']}"
    for token in ("nonsense", session["token"][:-2] + "xx", other["token"], "é.é"):
        assert (await client.get(path, params={"token": token})).status_code == 401
    world.now[0] = NOON + dt.timedelta(hours=4)
    assert (await client.get(path, params={"token": session["token"]})).status_code == 410


async def test_an_edge_that_never_answered_is_not_routed_to(world):
    world.edges.down |= {"north-1", "north-2"}
    world.publish()
    async with AsyncTestClient(world.app) as client:
        session = await start_session(client)
        assert not {"north-1", "north-2"} & set(ids(session))


async def test_an_edge_whose_last_answer_is_old_is_not_routed_to(world, client):
    assert "north-1" in ids(await start_session(client))
    world.elapsed_s[0] += 5 * 3600 + 1
    assert not {"north-1", "north-2"} & set(ids(await start_session(client)))


async def test_an_unknown_region_is_served_by_the_origin_and_counted(client):
    session = await start_session(client, region_id="atlantis")
    assert ids(session)[-1] == "origin"
    assert not {"north-1", "north-2"} & set(ids(session)[:-1]) or len(ids(session)) == 2
    assert "matinee_control_unknown_regions_total 1" in (await client.get("/metrics")).text


async def test_reload_swaps_snapshot_and_inventories_at_once(world, client):
    before = (await client.get("/system/snapshot")).json()
    newer = world.publish(title_count=3, clock=lambda: NOON + dt.timedelta(minutes=1))
    report = (await client.post("/system/reload")).json()
    assert report == {
        "snapshot_id": newer.snapshot_id, "changed": True, "healthy_edges": ["north-1", "north-2", "south-1"],
        "refusal": None,
    }  # fmt: skip
    after = (await client.get("/system/snapshot")).json()
    assert before["snapshot_id"] != after["snapshot_id"] == newer.snapshot_id
    assert after["counts"]["titles"] == 3
    assert after["placement_plan_ids"] == {"north": "plan-1"}


async def test_a_broken_snapshot_is_refused_and_the_last_good_one_served_on(world, client):
    good = (await client.get("/system/snapshot")).json()["snapshot_id"]
    bad = world.publish(title_count=3, clock=lambda: NOON + dt.timedelta(minutes=1))
    (world.store / "snapshots" / bad.snapshot_id / "titles.msgpack").write_bytes(b"broken")
    report = (await client.post("/system/reload")).json()
    assert report["snapshot_id"] == good
    assert "titles.msgpack" in report["refusal"]
    ready = await client.get("/system/ready")
    assert ready.status_code == 200
    assert any("refused" in problem for problem in ready.json()["problems"])
    assert "matinee_control_snapshot_refusals_total 1" in (await client.get("/metrics")).text


async def test_catalogue_pages_follow_each_other_without_gap_or_repetition(client):
    seen, cursor = [], None
    while True:
        page = await client.get("/v1/catalogue/titles", params={"limit": 5} | ({"cursor": cursor} if cursor else {}))
        seen += [title["title_id"] for title in page.json()["titles"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 12
    comedies = (await client.get("/v1/catalogue/titles?genre=comedy")).json()["titles"]
    assert {title["title_id"] for title in comedies} == {"s-0001", "s-0004", "s-0007", "s-0010"}
    assert (await client.get("/v1/catalogue/titles?cursor=%C3%A9")).status_code == 400


async def test_search_forgives_and_respects_the_age(client):
    found = (await client.get("/v1/search", params={"q": "norhtern HARB"})).json()["titles"]
    assert {title["title_id"] for title in found} == {"s-0002", "s-0007", "s-0012"}
    young = (await client.get("/v1/search", params={"q": "northern", "max_age": 12})).json()["titles"]
    assert {title["title_id"] for title in young} == {"s-0002", "s-0012"}


async def test_home_by_popularity_says_so_and_is_logged_as_it_was_shown(world):
    world.publish()
    async with AsyncTestClient(world.app) as client:
        page = (await client.get("/v1/home?viewer_id=v-000001&region_id=south")).json()
        assert page["source"] == "popularity"
        assert page["rows"][0]["row_id"] == "popular"
        assert page["rows"][0]["titles"][0]["title"]["title_id"] == "s-0012"
        assert page["artwork_base_url"] == "http://south-1.test"
        metrics = (await client.get("/metrics")).text
        assert 'matinee_control_home_pages_total{source="popularity",why="no-model"} 1' in metrics

    reader = SegmentLogReader(world.settings.event_log_folder)
    impressions = [decode_record(record) for record, _ in reader.read("control-0", 1)]
    assert [impression.impression_id for impression in impressions] == [page["impression_id"]]
    shown = [(row["row_id"], item["title"]["title_id"]) for row in page["rows"] for item in row["titles"]]
    assert [(item.row, item.title_id) for item in impressions[0].items] == shown
    assert impressions[0].snapshot_id == page["snapshot_id"]
    assert all(0 < item.propensity <= 1 for item in impressions[0].items)


async def test_home_uses_the_live_profile_and_its_age_limit(world, client):
    store = SqliteProfileStore(world.settings.profile_path)
    progress = Progress(viewer_id="v-000001", title_id="s-0003", position_s=20.0, duration_s=63.0, seen_at=NOON)
    store.record_progress([progress])
    store.set_preferences("v-000001", Preferences(maturity_age_limit=12))
    store.close()

    page = (await client.get("/v1/home?viewer_id=v-000001&region_id=north")).json()
    first = page["rows"][0]
    assert first["row_id"] == "continue-watching"
    assert first["titles"][0]["title"]["title_id"] == "s-0003"
    assert first["titles"][0]["resume_position_s"] == 20.0
    shown = [item["title"]["title_id"] for row in page["rows"] for item in row["titles"]]
    assert "s-0007" not in shown
    assert len(shown) == len(set(shown))

    session = await start_session(client, title_id="s-0003")
    assert session["resume_position_s"] == 20.0
    profile = (await client.get("/v1/profiles/v-000001")).json()
    assert [item["title_id"] for item in profile["resume"]] == ["s-0003"]


async def test_the_operators_view_of_the_edges(world, client):
    placed = {"s-0001": {"240p": [0, 1]}}
    world.edges.hold("north-1", placed)
    world.edges.down.add("south-1")
    await client.post("/system/reload")
    edges = {edge["pathway_id"]: edge for edge in (await client.get("/system/edges")).json()["edges"]}
    assert edges["north-1"]["generation"] == 2
    assert edges["north-1"]["complete_groups"] == 2
    assert edges["north-1"]["planned_groups"] == 18
    assert edges["north-1"]["stats"]["requests"] == 7
    assert edges["north-1"]["placed_bytes"] == 10
    assert edges["north-1"]["cached_bytes"] == 77
    assert "connection refused" in edges["south-1"]["problem"]
    assert edges["south-1"]["breaker"] == "closed"


async def test_the_overview_of_the_network_is_what_the_graph_published_last(world, client):
    answer = await client.get("/system/network")
    assert answer.status_code == 404
    assert "materialise ops/network" in answer.json()["detail"]

    overview = world.settings.store_folder / "network"
    overview.mkdir(parents=True)
    (overview / "one.json").write_text('{"day": "2026-11-21", "edges": [], "regions": [], "titles": []}')
    (overview / "CURRENT").write_text("network/one.json")
    assert (await client.get("/system/network")).json()["day"] == "2026-11-21"

    (overview / "one.json").write_text('{"day": "2026-11-21", "edges": 7}')
    assert (await client.get("/system/network")).status_code == 404


async def test_browsers_may_ask_from_elsewhere(client):
    answer = await client.get("/v1/catalogue/titles", headers={"Origin": "http://elsewhere.test"})
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_requests_are_counted_by_noun_and_status(client):
    await client.get("/v1/search?q=harbour")
    await client.get("/v1/catalogue/titles/nope")
    metrics = (await client.get("/metrics")).text
    assert 'matinee_control_requests_total{noun="search",status="2xx"} 1' in metrics
    assert 'matinee_control_edge_healthy{edge="north-1"} 1' in metrics
    assert 'matinee_control_edge_polls_total{edge="north-1"} 1' in metrics


async def test_the_schema_page_loads_nothing_from_elsewhere(client):
    page = await client.get("/schema")
    assert page.status_code == 200
    assert "https://" not in page.text
    schema = (await client.get("/schema/openapi.json")).json()
    assert schema["paths"]["/v1/playback/sessions"]["post"]["operationId"] == "startPlayback"


async def test_keys_are_for_sessions_of_the_protected_title(world, client):
    key_id = "00112233445566778899aabbccddeeff"
    kid = "ABEiM0RVZneImaq7zN3u_w"
    package = world.store / "media" / "s-0001" / "p" / "pkg0001"
    package.mkdir(parents=True)
    (package / "protection.json").write_text(f'{{"key_ids": ["{key_id}"]}}')
    token = (await start_session(client))["token"]
    bearer = {"Authorization": f"Bearer {token}"}

    answer = await client.get(f"/v1/keys/{key_id}", headers=bearer)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/octet-stream")
    assert len(answer.content) == 16
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await client.get(f"/v1/keys/{key_id}", params={"token": token})).content == answer.content

    # a decryption module's message goes out as bytes, without a content type
    asked = await client.post("/v1/keys/license", content=f'{{"kids":["{kid}"],"type":"temporary"}}', headers=bearer)
    assert asked.status_code == 200
    given = asked.json()
    assert given["type"] == "temporary"
    assert given["keys"][0]["kid"] == kid
    assert base64.urlsafe_b64decode(given["keys"][0]["k"] + "==") == answer.content

    other = (await start_session(client, title_id="s-0002"))["token"]
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": f"Bearer {other}"}):
        assert (await client.get(f"/v1/keys/{key_id}", headers=headers)).status_code == 403
        assert (await client.post("/v1/keys/license", json={"kids": [kid]}, headers=headers)).status_code == 403
