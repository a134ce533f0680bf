"""Test doubles for applications that use the SDK: a whole platform in memory, and a clock to go with it.

``FakeOrigin`` is an httpx transport that answers as control API, collector, edges and origin for titles that it makes
up. Wrap it in an ``EmulatedTransport`` to give it distance and bandwidth; ``fake_player`` does that in one call.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import httpx
import msgspec

from player_sdk.abr import Abr, DefaultAbr
from player_sdk.beat_sender import HeartbeatSettings
from player_sdk.client import Player
from player_sdk.clock import VirtualClock
from player_sdk.heartbeat import Beat
from player_sdk.models import Viewer
from player_sdk.network_memory import NetworkMemory
from player_sdk.playback_settings import PlaybackSettings
from player_sdk.transports import EmulatedTransport, Link, PathwayLink

START_UTC = dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)
API_HOST = "api.test"
BEATS_HOST = "beats.test"
DEFAULT_LADDER: Mapping[str, int] = {"240p": 400_000, "480p": 1_200_000, "720p": 2_800_000, "1080p": 5_000_000}

FakeClock = VirtualClock
"""The virtual clock, by the name that tests tend to look for."""


@dataclass(frozen=True, kw_only=True)
class FakeTitle:
    """A made-up title: constant bit rate video at some rungs, sound and captions in some languages.

    Attributes:
        ladder: Rung to bit rate in bit/s, lowest first.
        audio_bps: Bit rate of an audio track; 0 leaves sound out.
        languages, captions: Languages of the sound, the first one being the default, and of the captions.
        init_bytes: Size of each init segment.
    """

    title_id: str = "film"
    duration_s: float = 40.0
    segment_s: float = 4.0
    ladder: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_LADDER))
    audio_bps: int = 100_000
    languages: Sequence[str] = ("en",)
    captions: Sequence[str] = ()
    init_bytes: int = 800

    @property
    def segment_count(self) -> int:
        """Segments of each track."""
        return math.ceil(self.duration_s / self.segment_s - 1e-9)

    def segment_duration_s(self, number: int) -> float:
        """Length of the segment with that number, the first being 1."""
        return min(self.segment_s, self.duration_s - (number - 1) * self.segment_s)

    def resource(self, path: str) -> tuple[bytes, str] | None:
        """Body and content type of a path below ``/media/<title_id>/``; None when there is no such thing."""
        folder, _, name = path.rpartition("/")
        if folder == "p/1":
            text = self._manifest(name)
            kind = "application/dash+xml" if name.endswith(".mpd") else "application/vnd.apple.mpegurl"
            return None if text is None else (text.encode(), kind)
        rung = folder.removeprefix("r/")
        bitrate_bps = self._bitrates_bps.get(rung)
        if not bitrate_bps:
            return None
        if name == "init.mp4":
            return bytes(self.init_bytes), "video/mp4"
        number = int(name.removeprefix("seg-").partition(".")[0])
        if not 1 <= number <= self.segment_count:
            return None
        if name.endswith(".vtt"):
            return f"WEBVTT\n\nNOTE {rung} {number}\n".encode(), "text/vtt"
        return bytes(int(bitrate_bps * self.segment_duration_s(number) / 8)), "video/iso.segment"

    @property
    def _bitrates_bps(self) -> dict[str, int]:
        sound = {f"audio-{language}": self.audio_bps for language in self.languages}
        return {**self.ladder, **sound, **{f"text-{language}": 1000 for language in self.captions}}

    def _manifest(self, name: str) -> str | None:
        if name == "master.m3u8":
            return self._master()
        if name == "manifest.mpd":
            return self._mpd()
        rung = name.removesuffix(".m3u8")
        return self._media_playlist(rung) if self._bitrates_bps.get(rung) else None

    def _master(self) -> str:
        lines = ["#EXTM3U", "#EXT-X-VERSION:6"]
        groups = ""
        for kind, name, languages in (
            ("AUDIO", "audio", self.languages if self.audio_bps else ()),
            ("SUBTITLES", "text", self.captions),
        ):
            for language in languages:
                default = "YES" if kind == "AUDIO" and language == languages[0] else "NO"
                lines.append(
                    f'#EXT-X-MEDIA:TYPE={kind},GROUP-ID="{name}",NAME="{language}",LANGUAGE="{language}",'
                    f'DEFAULT={default},URI="{name}-{language}.m3u8"'
                )
            groups += f',{kind}="{name}"' if languages else ""
        for rung, bitrate_bps in self.ladder.items():
            height = int(rung.rstrip("p"))
            lines.append(
                f"#EXT-X-STREAM-INF:BANDWIDTH={bitrate_bps},AVERAGE-BANDWIDTH={bitrate_bps},"
                f'CODECS="avc1.640028,mp4a.40.2",RESOLUTION={height * 16 // 9}x{height}{groups}'
            )
            lines.append(f"{rung}.m3u8")
        return "\n".join(lines) + "\n"

    def _media_playlist(self, rung: str) -> str:
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{math.ceil(self.segment_s)}"]
        captions = rung.startswith("text-")
        lines += ["#EXT-X-PLAYLIST-TYPE:VOD", *([] if captions else [f'#EXT-X-MAP:URI="../../r/{rung}/init.mp4"'])]
        for number in range(1, self.segment_count + 1):
            name = f"seg-{number:05d}.{'vtt' if captions else 'm4s'}"
            lines += [f"#EXTINF:{self.segment_duration_s(number):.6f},", f"../../r/{rung}/{name}"]
        return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"

    def _mpd(self) -> str:
        timescale = 1000
        template = (
            f'<SegmentTemplate timescale="{timescale}" duration="{round(self.segment_s * timescale)}" startNumber="1" '
            'initialization="../../r/$RepresentationID$/init.mp4" '
            'media="../../r/$RepresentationID$/seg-$Number%05d$.m4s"/>'
        )
        written = template.replace('initialization="../../r/$RepresentationID$/init.mp4" ', "").replace("m4s", "vtt")
        video = "".join(
            f'<Representation id="{rung}" bandwidth="{bitrate_bps}" codecs="avc1.640028" height="{int(rung[:-1])}"/>'
            for rung, bitrate_bps in self.ladder.items()
        )
        sets = [
            f'<AdaptationSet contentType="audio" lang="{language}">{template}<Role value="{role}"/>'
            f'<Representation id="audio-{language}" bandwidth="{self.audio_bps}" codecs="mp4a.40.2"/></AdaptationSet>'
            for language, role in zip(self.languages, ["main", *["dub"] * len(self.languages)], strict=False)
            if self.audio_bps
        ]
        sets += [
            f'<AdaptationSet contentType="text" lang="{language}" mimeType="text/vtt">{written}'
            f'<Representation id="text-{language}" bandwidth="1000"/></AdaptationSet>'
            for language in self.captions
        ]
        return (
            '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            f'mediaPresentationDuration="PT{self.duration_s}S"><Period>'
            f'<AdaptationSet contentType="video">{template}{video}</AdaptationSet>{"".join(sets)}</Period></MPD>'
        )


@dataclass(kw_only=True)
class FakeEdge:
    """What an edge of the fake platform holds.

    Attributes:
        placed: Whether a fill put a path there; by default nothing.
        upstream_s: Emulated seconds that a miss costs, as the edge reports them.
        pulled: Paths that earlier misses left.
    """

    placed: Callable[[str], bool] = lambda path: False
    upstream_s: float = 0.0
    pulled: set[str] = field(default_factory=set)


class FakeOrigin(httpx.AsyncBaseTransport):
    """A platform in memory, as an httpx transport.

    Pathway ``x`` is served at host ``x.test``; the API at ``api.test`` and the collector at ``beats.test``.

    Args:
        titles: What can be played.
        edges: Pathways in the order in which plans list them; None is an origin, which speaks no ``Cache-Status``.
        fault: May answer a request before anything else does, or raise an httpx error for it; None lets it pass.
        plan: Fields that replace those of the playback plan.

    Attributes:
        requests: Every request, in order.
        beats: Heartbeats that the collector took.
        collector_down: While true, the collector answers 503 with ``Retry-After: 2``.
        steering: The order that steering answers with, or a status code to answer with instead.
    """

    def __init__(
        self,
        titles: Sequence[FakeTitle] = (FakeTitle(),),
        *,
        edges: Mapping[str, FakeEdge | None] | None = None,
        fault: Callable[[httpx.Request], httpx.Response | None] | None = None,
        plan: Mapping[str, object] | None = None,
    ) -> None:
        self._titles = {title.title_id: title for title in titles}
        self._edges = dict(edges) if edges is not None else {"edge-1": FakeEdge(), "origin": None}
        self._fault = fault
        self._plan = dict(plan or {})
        self.requests: list[httpx.Request] = []
        self.beats: list[Beat] = []
        self.collector_down = False
        self.steering: list[str] | int = list(self._edges)
        self._sessions = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as whichever server the request is for."""
        self.requests.append(request)
        answer = self._fault(request) if self._fault is not None else None
        if answer is not None:
            return answer
        if request.url.host == BEATS_HOST:
            return self._collect(await request.aread())
        if request.url.host == API_HOST:
            return self._api(request, await request.aread())
        return self._media(request)

    def paths(self, host: str | None = None) -> list[str]:
        """Paths that were asked for, of one host or all."""
        return [request.url.path for request in self.requests if host is None or request.url.host == host]

    def _collect(self, body: bytes) -> httpx.Response:
        if self.collector_down:
            return httpx.Response(503, headers={"Retry-After": "2"})
        batch = msgspec.msgpack.decode(body, type=dict[str, msgspec.Raw])
        beats = msgspec.msgpack.decode(batch["beats"], type=list[Beat])
        self.beats.extend(beats)
        return httpx.Response(202, json={"accepted": len(beats), "rejected": []})

    def _api(self, request: httpx.Request, body: bytes) -> httpx.Response:
        path = request.url.path
        cards = [{"title_id": title_id, "name": title_id.title()} for title_id in self._titles]
        if path == "/v1/home":
            titles = [{"title": card, "reason": "Popular near you"} for card in cards]
            rows = [{"row_id": "top", "name": "For you", "titles": titles}]
            return httpx.Response(200, json={"impression_id": "imp-1", "source": "popularity", "rows": rows})
        if path == "/v1/catalogue/titles":
            return _page(cards, request.url.params)
        if path.startswith("/v1/catalogue/titles/"):
            found = [card for card in cards if path.endswith(f"/{card['title_id']}")]
            return httpx.Response(200, json=found[0]) if found else httpx.Response(404, json={})
        if path == "/v1/search":
            wanted = parse_qs(request.url.query.decode()).get("q", [""])[0].lower()
            return httpx.Response(200, json={"titles": [card for card in cards if wanted in card["name"].lower()]})
        if path == "/v1/playback/sessions":
            return self._grant(json.loads(body)["title_id"])
        if path.startswith("/v1/steering/"):
            return self._steer()
        return httpx.Response(404, json={"status_code": 404, "detail": f"nothing at {path}"})

    def _grant(self, title_id: str) -> httpx.Response:
        title = self._titles.get(title_id)
        if title is None:
            return httpx.Response(404, json={"status_code": 404, "detail": f"no title {title_id}"})
        self._sessions += 1
        session_id = f"session-{self._sessions}"
        plan = {
            "session_id": session_id,
            "token": "token",
            "package_id": "1",
            "duration_s": title.duration_s,
            "pathways": [{"pathway_id": name, "base_url": f"http://{name}.test/"} for name in self._edges],
            "hls_path": f"/media/{title_id}/p/1/master.m3u8",
            "dash_path": f"/media/{title_id}/p/1/manifest.mpd",
            "steering_url": f"http://{API_HOST}/v1/steering/{session_id}?token=token",
            "beats_url": f"http://{BEATS_HOST}/v1/beats",
            "beat_interval_s": 10.0,
            **self._plan,
        }
        return httpx.Response(201, json=plan)

    def _steer(self) -> httpx.Response:
        if isinstance(self.steering, int):
            return httpx.Response(self.steering, headers={"Retry-After": "20"} if self.steering == 429 else {})
        return httpx.Response(200, json={"VERSION": 1, "TTL": 10, "PATHWAY-PRIORITY": self.steering})

    def _media(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        name = request.url.host.removesuffix(".test")
        _, _, rest = path.partition("/media/")
        title_id, _, below = rest.partition("/")
        title = self._titles.get(title_id)
        found = title.resource(below) if title is not None else None
        if found is None or name not in self._edges:
            return httpx.Response(404)
        body, kind = found
        return httpx.Response(200, content=body, headers={"Content-Type": kind, **self._cache_headers(name, path)})

    def _cache_headers(self, name: str, path: str) -> dict[str, str]:
        edge = self._edges[name]
        if edge is None:
            return {}
        if edge.placed(path):
            return {"Cache-Status": f"{name}; hit; detail=placed"}
        if path in edge.pulled:
            return {"Cache-Status": f"{name}; hit; detail=cached"}
        edge.pulled.add(path)
        return {
            "Cache-Status": f"{name}; fwd=uri-miss; stored; fwd-status=200",
            "Server-Timing": f"upstream;dur={edge.upstream_s * 1000:g}",
        }


def _page(cards: Sequence[Mapping[str, str]], query: httpx.QueryParams) -> httpx.Response:
    """A page of the catalogue; the cursor is the number of titles before it."""
    first = int(query.get("cursor", "0"))
    end = first + int(query.get("limit", "50"))
    following = str(end) if end < len(cards) else None
    return httpx.Response(200, json={"titles": cards[first:end], "next_cursor": following})


def fake_player(
    origin: FakeOrigin,
    *,
    link: Link | None = None,
    pathways: Mapping[str, PathwayLink] | None = None,
    clock: VirtualClock | None = None,
    viewer: Viewer | None = None,
    abr: Callable[[], Abr] = DefaultAbr,
    beats: HeartbeatSettings | None = HeartbeatSettings(),  # noqa: B008 - frozen
    settings: PlaybackSettings | None = None,
    memory: NetworkMemory | None = None,
    seed: int = 0,
) -> Player:
    """A player on a virtual clock whose requests go to a fake platform over an emulated line.

    Args:
        origin: The platform.
        link: The viewer's line; 10 Mbit/s without latency by default.
        pathways: How far away edges and origin are, by host such as ``edge-1.test``.
        clock: Starts at ``START_UTC`` by default.
        viewer: Somebody at a desktop by default.
        abr: Makes the policy.
        beats: How heartbeats are sent; None sends none.
        settings: How to play.
        memory: What is known of the network.
        seed: Jitter of retries.
    """
    clock = clock or VirtualClock(START_UTC)
    transport = EmulatedTransport(
        origin,
        clock=clock,
        link=link or Link.constant(10e6),
        pathways=pathways,
        free_hosts=(API_HOST, BEATS_HOST),
    )
    return Player(
        api_url=f"http://{API_HOST}",
        viewer=viewer or Viewer(viewer_id="v-1", region_id="eu-north", device="desktop"),
        transport=transport,
        clock=clock,
        abr=abr,
        beats=beats,
        settings=settings,
        memory=memory,
        seed=seed,
    )
