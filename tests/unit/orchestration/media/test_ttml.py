from __future__ import annotations

import pytest

from orchestration.media.ttml import TtmlError, parse_ttml
from orchestration.media.webvtt import clean_cues

HEAD = (
    '<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"'
    ' xmlns:tts="http://www.w3.org/ns/ttml#styling" ttp:frameRate="25" ttp:tickRate="100"><body>'
)


def parse(body: str) -> list[tuple[float, float, str]]:
    cues = clean_cues(parse_ttml(f"{HEAD}{body}</body></tt>".encode()), 10_000)
    return [(cue.start_s, cue.end_s, cue.text) for cue in cues]


def test_lines_italics_and_special_letters() -> None:
    body = (
        '<div><p begin="00:00:01.500" end="00:00:03">One &lt; two<br/>\n <span tts:fontStyle="italic">three</span></p>'
        '<p begin="1m" dur="500ms"><metadata>x</metadata>four</p></div>'
    )
    assert parse(body) == [(1.5, 3.0, "One &lt; two\n<i>three</i>"), (60.0, 60.5, "four")]


def test_frames_ticks_and_nested_times() -> None:
    body = '<div begin="10s"><p begin="00:00:01:05" end="50f">a</p></div><p begin="300t" end="400t">b</p>'
    assert parse(body) == [(3.0, 4.0, "b"), (11.2, 12.0, "a")]


@pytest.mark.parametrize(
    "content", [b"no xml", b"<html/>", f'{HEAD}<p begin="soon" end="1s">a</p></body></tt>'.encode()]
)
def test_what_is_no_ttml_is_told(content: bytes) -> None:
    with pytest.raises(TtmlError):
        parse_ttml(content)
