import asyncio

from playback_api.domain.system.background import BackgroundWork


async def test_an_action_repeats_until_stopped():
    calls = 0
    often = asyncio.Event()

    async def action():
        nonlocal calls
        calls += 1
        if calls == 3:
            often.set()

    work = BackgroundWork()
    work.repeat("counting", action, interval_s=0.0)
    async with asyncio.timeout(5):
        await often.wait()
    assert work.ended == []
    await work.stop()
    stopped_at = calls
    await asyncio.sleep(0)
    assert calls == stopped_at


async def test_a_surprise_ends_the_action_and_is_told(caplog):
    async def action():
        raise RuntimeError("surprise")

    work = BackgroundWork()
    work.repeat("fragile", action, interval_s=0.0)
    async with asyncio.timeout(5):
        while not work.ended:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert work.ended == ["fragile"]
    assert "surprise" in caplog.text
    await work.stop()
