"""Sessions on playlists that make no sense: each comes to an end, and tells how."""

import asyncio
import datetime as dt

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from player_sdk import EmulatedTransport, Link, Player, VirtualClock

LINES = """#EXT-X-TARGETDURATION:2
#EXT-X-TARGETDURATION:0
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MEDIA-SEQUENCE:3
#EXT-X-DISCONTINUITY
#EXT-X-GAP
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-SERVER-CONTROL:HOLD-BACK=9
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00Z
#EXT-X-MAP:URI="i.mp4",BYTERANGE="10@0"
#EXT-X-KEY:METHOD=AES-128,URI="k"
#EXT-X-BYTERANGE:50@0
#EXT-X-ENDLIST
#EXTINF:0,\\na.m4s
#EXTINF:2,\\nb.m4s
#EXTINF:2,\\nc.m4s
#EXTINF:2.5,\\nd.m4s
#EXTINF:9999999,\\ne.m4s
#EXT-X-GAP\\n#EXTINF:2,\\nf.m4s""".replace("\\n", "\x00").splitlines()
PLAYLIST = st.lists(st.sampled_from(LINES), min_size=1, max_size=12).map(
    lambda lines: "#EXTM3U\n" + "\n".join(lines).replace("\x00", "\n") + "\n"
)
MPD = """<MPD type="{kind}" availabilityStartTime="2025-12-31T23:59:00Z" {attributes}><Period {period}>
<AdaptationSet contentType="video"><Representation id="v" bandwidth="{bandwidth}">
<SegmentTemplate media="$Time$.m4s" {template}>{timeline}</SegmentTemplate></Representation></AdaptationSet></Period>
{more}</MPD>"""
PICK = st.sampled_from
MANIFEST = st.builds(
    MPD.format,
    kind=PICK(["static", "dynamic"]),
    attributes=PICK(
        ["", 'mediaPresentationDuration="PT9S"', 'timeShiftBufferDepth="PT6S" minimumUpdatePeriod="PT0S"',
         'minimumUpdatePeriod="PT2S" suggestedPresentationDelay="PT99S"']
    ),
    period=PICK(["", 'start="PT0S"', 'start="PT50S" duration="PT0S"', 'duration="PT20S"']),
    bandwidth=PICK(["0", "1", "900000"]),
    template=PICK(["", 'duration="2"', 'timescale="1000" duration="100"', 'timescale="10" endNumber="3"']),
    timeline=PICK(
        ["", "<SegmentTimeline/>", '<SegmentTimeline><S d="2" r="-1"/></SegmentTimeline>',
         '<SegmentTimeline><S t="5" d="20" r="3"/><S t="200" d="1"/></SegmentTimeline>']
    ),
    more=PICK(["", '<Period start="PT30S"/>', "<UTCTiming schemeIdUri='urn:mpeg:dash:utc:direct:2014' value='x'/>"]),
)  # fmt: skip


class WildServer(httpx.AsyncBaseTransport):
    """Answers with one manifest after the other, then with the last one for ever, and with bytes for all else."""

    def __init__(self, manifests):
        self.manifests, self.requests = list(manifests), 0

    async def handle_async_request(self, request):
        self.requests += 1
        assert self.requests < 5000, "it asks for ever"
        if request.url.path.startswith("/m."):
            text = self.manifests.pop(0) if len(self.manifests) > 1 else self.manifests[0]
            return httpx.Response(200, text=text)
        return httpx.Response(200, content=bytes(64))


def play(path, manifests, start_s):
    async def run():
        clock = VirtualClock(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        transport = EmulatedTransport(WildServer(manifests), clock=clock, link=Link.constant(5e6, latency_s=0.02))
        async with Player(transport=transport, clock=clock, seed=0) as player:
            return await player.open_url(f"http://wild.test/{path}", start_s=start_s).watch(30.0, patience_s=200.0)

    return asyncio.run(run())


@settings(max_examples=30, derandomize=True)
@given(
    title=st.tuples(st.just("m.m3u8"), st.lists(PLAYLIST, min_size=1, max_size=4))
    | st.tuples(st.just("m.mpd"), st.lists(MANIFEST, min_size=1, max_size=3)),
    start_s=PICK([0.0, 3.0, 1e6]),
)
def test_a_session_on_any_manifests_ends(title, start_s):
    report = play(*title, start_s)
    assert report.end_reason in ("completed", "stopped", "failed", "abandoned")
    assert report.played_s <= 30.0 + 1e-6
