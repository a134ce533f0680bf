import asyncio

import pytest
from litestar import Litestar, get
from litestar.middleware import DefineMiddleware
from litestar.testing import AsyncTestClient

from playback_api.domain.counters import Counters
from playback_api.domain.errors import ApiError, answer_error
from playback_api.domain.system.admission import Admission
from playback_api.resilience import LoadShedder, Priority


@pytest.fixture
def parts():
    counters, shedder, gate = Counters(), LoadShedder(10), asyncio.Event()

    @get("/v1/home")
    async def home() -> str:
        await gate.wait()
        return "home"

    @get("/v1/playback/sessions")
    async def play() -> str:
        return "play"

    @get("/system/health")
    async def health() -> str:
        return "ok"

    app = Litestar(
        [home, play, health],
        middleware=[DefineMiddleware(Admission, shedder=shedder, counters=counters)],
        exception_handlers={ApiError: answer_error},
        openapi_config=None,
    )
    return app, counters, shedder, gate


async def test_pages_are_shed_first_then_nothing_is_left_for_play_but_health_always_answers(parts):
    app, counters, shedder, _ = parts
    async with AsyncTestClient(app) as client:
        shedder.in_flight = 8
        refused = await client.get("/v1/home")
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        assert refused.json()["extra"] == {"priority": "home"}
        assert (await client.get("/v1/playback/sessions")).status_code == 200
        shedder.in_flight = 10
        assert (await client.get("/v1/playback/sessions")).status_code == 503
        assert (await client.get("/system/health")).status_code == 200
    assert shedder.shed[Priority.HOME] == 1
    assert counters.value("requests_shed", noun="home") == 1
    assert counters.value("requests", noun="playback", status="2xx") == 1


async def test_a_place_is_given_back_however_a_request_ends(parts):
    app, _, shedder, gate = parts
    gate.set()
    async with AsyncTestClient(app) as client:
        await client.get("/v1/home")
        await client.get("/v1/home/nothing-here")
    assert shedder.in_flight == 0
