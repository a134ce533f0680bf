from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.media.webvtt import Cue, clean_cues, parse_webvtt, write_webvtt


def clean(text: str, film_s: float = 100.0) -> str:
    return write_webvtt(clean_cues(parse_webvtt(text), film_s))


def test_an_srt_file_becomes_clean_webvtt() -> None:
    given_text = (
        '\ufeff1\r\n00:00:01,000 --> 00:00:02,500\r\n{\\an8}<font color="red">Hello</font> & <i>you\r\n\r\n'
        "2\r\n00:00:03,000 --> 00:00:04,000\r\n- a --> b\r\n- 1 < 2\r\n"
    )
    assert clean(given_text) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHello &amp; <i>you</i>\n\n"
        "00:00:03.000 --> 00:00:04.000\n- a --&gt; b\n- 1 &lt; 2\n"
    )


def test_settings_that_are_known_are_kept_and_blocks_that_are_no_cues_are_not() -> None:
    given_text = (
        "WEBVTT - made by hand\n\nSTYLE\n::cue { color: red }\n\nNOTE 00:01 is early\n\n"
        "intro\n00:01.000 --> 00:02.000 line:10% region:fred align:start\n<v.loud Mary>Hi <c.yellow>there</v>\n"
    )
    assert clean(given_text).endswith(
        "00:00:01.000 --> 00:00:02.000 line:10% align:start\n<v.loud Mary>Hi <c.yellow>there</c></v>\n"
    )


def test_cues_end_with_the_film_and_come_in_order() -> None:
    cues = [
        Cue(start_s=9.0, end_s=12.0, text="last"),
        Cue(start_s=1.0, end_s=2.0, text="first"),
        Cue(start_s=1.0, end_s=2.0, text="first"),
        Cue(start_s=3.0, end_s=3.0, text="no time"),
        Cue(start_s=4.0, end_s=5.0, text=" <i> </i>\n"),
        Cue(start_s=10.0, end_s=11.0, text="after the end"),
    ]
    assert [(cue.start_s, cue.end_s, cue.text) for cue in clean_cues(cues, 10.0)] == [
        (1.0, 2.0, "first"),
        (9.0, 10.0, "last"),
    ]


@pytest.mark.parametrize("stray", ["</i>plain", "<b>plain", "<i><b>plain</i></b>", "<x y>plain", "<00:00:01.000>plain"])
def test_every_tag_that_is_left_is_closed(stray: str) -> None:
    (cue,) = clean_cues([Cue(start_s=0, end_s=1, text=stray)], 10)
    for name in "ib":
        assert cue.text.count(f"<{name}>") == cue.text.count(f"</{name}>")
    assert "plain" in cue.text
    assert "<x" not in cue.text
    assert "00:00" not in cue.text


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50), st.text(alphabet="ab<>/i&;-\n \\{}", max_size=30))))
def test_what_is_written_reads_back_the_same(raw: list[tuple[float, float, str]]) -> None:
    cues = clean_cues((Cue(start_s=start, end_s=end, text=text) for start, end, text in raw), 40.0)
    text = write_webvtt(cues)
    again = clean_cues(parse_webvtt(text), 40.0)
    assert write_webvtt(again) == text
    assert len(again) <= len(cues)
    body = [line for line in text.split("\n") if " --> " not in line]
    assert not any("-->" in line for line in body)
