import pytest
from hypothesis import given
from hypothesis import strategies as st
from player_sdk.buffer import BufferedSegment, PlaybackBuffer, StallSpan


def segment(start_s, end_s, rung="240p", pathway_id="edge"):
    return BufferedSegment(start_s=start_s, end_s=end_s, rung=rung, bitrate_bps=1e6, pathway_id=pathway_id)


def filled(*segments, end_s=100.0, stop_s=100.0):
    buffer = PlaybackBuffer(position_s=0.0, end_s=end_s, stop_s=stop_s)
    for one in segments:
        buffer.add_video(one)
        buffer.add_audio(one.end_s)
    return buffer


def test_runs_break_where_rung_or_pathway_change_and_only_rungs_count_as_switches():
    buffer = filled(segment(0, 4), segment(4, 8), segment(8, 12, "720p"), segment(12, 16, "720p", "origin"))
    buffer.start(50.0)
    buffer.advance(63.0)
    played = buffer.take()
    assert [(run.position_s, run.played_s, run.rung, run.pathway_id) for run in played.runs] == [
        (0.0, 8.0, "240p", "edge"),
        (8.0, 4.0, "720p", "edge"),
        (12.0, 1.0, "720p", "origin"),
    ]
    assert played.switches == 1
    assert buffer.take().runs == ()


def test_a_stall_lasts_from_the_last_frame_to_the_next_data():
    buffer = filled(segment(0, 4))
    buffer.start(10.0)
    buffer.advance(16.5)
    assert buffer.stalled
    assert buffer.position_s == 4.0
    buffer.add_video(segment(4, 8))
    assert buffer.resume(16.5) is None, "picture without sound does not play"
    buffer.advance(17.0)
    buffer.add_audio(8.0)
    assert buffer.resume(17.0) == StallSpan(position_s=4.0, duration_s=3.0)
    buffer.advance(18.0)
    assert buffer.position_s == 5.0


def test_nothing_before_the_first_frame_is_a_stall_and_nothing_after_the_stop_either():
    buffer = filled(segment(0, 4), stop_s=3.0)
    buffer.advance(99.0)
    buffer.start(100.0)
    buffer.advance(200.0)
    assert buffer.finished
    assert buffer.position_s == 3.0
    assert buffer.take().stalls == ()


def test_a_stall_that_lasts_at_the_end_is_counted_to_the_end():
    buffer = filled(segment(0, 4))
    buffer.start(0.0)
    buffer.close(9.0)
    assert buffer.take().stalls == (StallSpan(position_s=4.0, duration_s=5.0),)


@given(
    arrivals=st.lists(st.floats(0.01, 12), min_size=1, max_size=20),
    looks=st.lists(st.floats(0, 200), max_size=20),
)
def test_played_and_stalled_time_add_up_however_often_one_looks(arrivals, looks):
    buffer = filled(segment(0, 4), end_s=4.0 * (len(arrivals) + 1), stop_s=1e9)
    buffer.start(0.0)
    now_s = 0.0
    for number, wait_s in enumerate(arrivals, start=1):
        for look_s in sorted(looks):
            if now_s < look_s < now_s + wait_s:
                buffer.advance(look_s)
        now_s += wait_s
        buffer.advance(now_s)
        buffer.add_video(segment(4.0 * number, 4.0 * number + 4.0))
        buffer.add_audio(4.0 * number + 4.0)
        buffer.resume(now_s)
    played = buffer.take()
    played_s, stalled_s = sum(run.played_s for run in played.runs), sum(stall.duration_s for stall in played.stalls)
    assert played_s == pytest.approx(buffer.position_s, abs=1e-6)
    assert played_s + stalled_s == pytest.approx(now_s, abs=1e-5)


def test_the_playhead_jumps_over_a_hole_in_no_time():
    buffer = filled(segment(0, 4), segment(10, 14))
    assert buffer.ahead_s == 8.0
    buffer.start(0.0)
    buffer.advance(6.0)
    assert buffer.position_s == 12.0
    buffer.advance(9.0)
    assert sum(run.played_s for run in buffer.take().runs) == 8.0
    assert buffer.stalled


def test_bytes_held_bound_the_buffer_but_for_one_segment():
    buffer = PlaybackBuffer(position_s=0.0, end_s=100.0, stop_s=100.0)
    for number in range(3):
        buffer.add_video(
            BufferedSegment(
                start_s=4.0 * number,
                end_s=4.0 * number + 4.0,
                rung="x",
                bitrate_bps=1.0,
                pathway_id="e",
                size_bytes=100,
            )
        )
        buffer.add_audio(4.0 * number + 4.0, 10)
    assert buffer.until_below_s(330) == 0.0
    assert buffer.until_below_s(300) == 4.0
    assert buffer.until_below_s(150) == 8.0
    buffer.start(0.0)
    buffer.advance(5.0)
    assert buffer.until_below_s(220) == 0.0
    buffer.advance(9.0)
    assert buffer.until_below_s(1) == 0.0, "a segment larger than the bound can be played all the same"
