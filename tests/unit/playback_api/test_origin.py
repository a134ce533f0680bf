import httpx
import pytest

from playback_api.origin import create_origin_app
from playback_api.settings import OriginSettings

SEGMENT = bytes(range(256)) * 4


@pytest.fixture
def store_folder(tmp_path):
    title = tmp_path / "store" / "media" / "t-1"
    (title / "r" / "abc").mkdir(parents=True)
    (title / "p" / "pk1").mkdir(parents=True)
    (title / "r" / "abc" / "seg-00001.m4s").write_bytes(SEGMENT)
    (title / "r" / "abc" / "big.mp4").write_bytes(b"ab" * 1_500_000)
    (title / "r" / "abc" / ".staged-1").write_bytes(b"half")
    for name in ("master.m3u8", "manifest.mpd", "poster.jpg", "subtitles.vtt", "objects.json"):
        (title / "p" / "pk1" / name).write_bytes(b"x")
    (title / "CURRENT").write_text("pk1")
    (tmp_path / "store" / "secret.txt").write_text("not media")
    return tmp_path / "store"


@pytest.fixture
async def client(store_folder):
    app = create_origin_app(OriginSettings(store_folder=store_folder))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://origin") as client:
        yield client


async def test_whole_object_with_its_headers(client):
    answer = await client.get("/media/t-1/r/abc/seg-00001.m4s")
    assert answer.status_code == 200
    assert answer.content == SEGMENT
    assert answer.headers["content-length"] == "1024"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("byte_range", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=100-199", 100, 199), ("bytes=1000-", 1000, 1023), ("bytes=-24", 1000, 1023)],
)
async def test_single_range(client, byte_range, first, last):
    answer = await client.get("/media/t-1/r/abc/seg-00001.m4s", headers={"Range": byte_range})
    assert answer.status_code == 206
    assert answer.content == SEGMENT[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/1024"


async def test_range_inside_a_large_file(client):
    answer = await client.get("/media/t-1/r/abc/big.mp4", headers={"Range": "bytes=1-2500000"})
    assert answer.content == (b"ba" * 1_250_000)
    assert (await client.get("/media/t-1/r/abc/big.mp4")).content == b"ab" * 1_500_000


async def test_range_beyond_the_end_is_416(client):
    answer = await client.get("/media/t-1/r/abc/seg-00001.m4s", headers={"Range": "bytes=1024-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */1024"
    assert answer.content == b""


@pytest.mark.parametrize("byte_range", ["bytes=5-2", "bytes=a-b", "items=0-1", "bytes=0-1,5-6", "bytes=-"])
async def test_range_that_is_to_be_ignored_gives_the_whole(client, byte_range):
    answer = await client.get("/media/t-1/r/abc/seg-00001.m4s", headers={"Range": byte_range})
    assert answer.status_code == 200
    assert len(answer.content) == 1024


async def test_conditional_requests(client):
    etag = (await client.get("/media/t-1/r/abc/seg-00001.m4s")).headers["etag"]
    unchanged = await client.get("/media/t-1/r/abc/seg-00001.m4s", headers={"If-None-Match": f'"other", W/{etag}'})
    assert unchanged.status_code == 304
    assert unchanged.content == b""
    resumed = await client.get("/media/t-1/r/abc/seg-00001.m4s", headers={"Range": "bytes=0-9", "If-Range": etag})
    assert resumed.status_code == 206
    changed = await client.get("/media/t-1/r/abc/seg-00001.m4s", headers={"Range": "bytes=0-9", "If-Range": '"old"'})
    assert changed.status_code == 200


async def test_head_has_headers_only(client):
    answer = await client.head("/media/t-1/r/abc/seg-00001.m4s")
    assert answer.status_code == 200
    assert answer.headers["content-length"] == "1024"
    assert answer.content == b""


async def test_pointer_must_be_revalidated_and_its_etag_follows_its_content(client, store_folder):
    first = await client.get("/media/t-1/CURRENT")
    assert first.text == "pk1"
    assert first.headers["cache-control"] == "no-cache"
    (store_folder / "media" / "t-1" / "CURRENT").write_text("pk2")
    second = await client.get("/media/t-1/CURRENT", headers={"If-None-Match": first.headers["etag"]})
    assert (second.status_code, second.text) == (200, "pk2")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("master.m3u8", "application/vnd.apple.mpegurl"),
        ("manifest.mpd", "application/dash+xml"),
        ("poster.jpg", "image/jpeg"),
        ("subtitles.vtt", "text/vtt; charset=utf-8"),
        ("objects.json", "application/json"),
    ],
)
async def test_media_types(client, name, media_type):
    assert (await client.get(f"/media/t-1/p/pk1/{name}")).headers["content-type"] == media_type


@pytest.mark.parametrize(
    "path",
    [
        "/media/t-1/r/abc/nothing.m4s",
        "/media/t-1/r/abc",
        "/media/%2e%2e/secret.txt",
        "/media/t-1/%2e%2e/%2e%2e/secret.txt",
        "/media/t-1/r/abc/.staged-1",
        "/media/t-1/CURRENT/more",
        "/media/",
        "/media/t-1%00/CURRENT",
    ],
)
async def test_nothing_but_objects_below_media(client, path):
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["status_code"] == 404


async def test_other_methods(client):
    assert (await client.post("/media/t-1/CURRENT")).status_code == 405
    preflight = await client.options("/media/t-1/CURRENT")
    assert preflight.status_code == 204
    assert "Range" in preflight.headers["access-control-allow-headers"]


async def test_health_and_counters(client):
    assert (await client.get("/system/health")).json() == {"status": "ok"}
    await client.get("/media/t-1/CURRENT")
    await client.get("/media/t-1/nothing")
    metrics = (await client.get("/metrics")).text
    assert "matinee_origin_requests_total 2" in metrics
    assert "matinee_origin_not_found_total 1" in metrics
    assert "matinee_origin_sent_bytes_total 3" in metrics
