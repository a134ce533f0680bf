import datetime as dt

from orchestration.defs.catalogue.package_facts import collect_facts
from orchestration.media.objects import MediaObject, PackageRecord, Rendition


def record(title_id):
    return PackageRecord(
        schema_version=1,
        title_id=title_id,
        package_id="p1",
        source_sha256="ab",
        duration_s=12.0,
        segment_duration_s=4.0,
        created_at=dt.datetime(2026, 9, 1, 14, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        hls_key="p/p1/master.m3u8",
        dash_key="p/p1/manifest.mpd",
        poster_key=None,
        renditions=[
            Rendition(
                rendition_id="r1", rung="240p", kind="video", codecs="avc1", bitrate_bps=1, peak_bitrate_bps=2,
                width=426, height=240,
            )
        ],
        objects=[
            MediaObject(
                key=f"r/r1/seg-{number}.m4s", size_bytes=10, sha256="cd", rung="240p", segment_group=number,
                rendition_id="r1",
            )
            for number in range(3)
        ],
    )  # fmt: skip


def test_every_package_rendition_and_object_is_a_row():
    facts = collect_facts(record(title_id) for title_id in ("a", "b"))

    assert facts.packages.select("title_id", "size_bytes", "poster_key", "created_at").rows() == [
        (title_id, 30, None, dt.datetime(2026, 9, 1, 12)) for title_id in ("a", "b")
    ]
    assert facts.renditions.select("title_id", "rung", "height").rows() == [("a", "240p", 240), ("b", "240p", 240)]
    assert facts.objects.height == 6
    assert facts.objects.filter(title_id="b")["segment_group"].to_list() == [0, 1, 2]


def test_no_packages_are_empty_frames_with_all_columns():
    facts = collect_facts([])

    assert (facts.packages.height, facts.renditions.height, facts.objects.height) == (0, 0, 0)
    assert "hls_key" in facts.packages.columns
    assert facts.objects.schema == collect_facts([record("a")]).objects.schema
