"""Read captions from TTML (W3C Timed Text, DFXP): paragraphs with times, line breaks and italics; no layout."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape

from orchestration.media.webvtt import Cue

_PARAMETERS = "{http://www.w3.org/ns/ttml#parameter}"
_STYLING = "{http://www.w3.org/ns/ttml#styling}"
_CLOCK = re.compile(r"(\d+):(\d{2}):(\d{2}(?:\.\d+)?)(?::(\d+(?:\.\d+)?))?", re.ASCII)
_OFFSET = re.compile(r"(\d+(?:\.\d+)?)(h|m|s|ms|f|t)", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class TtmlError(ValueError):
    """It is no TTML, or a time in it makes no sense."""


def parse_ttml(content: bytes) -> list[Cue]:
    """The cues of a document, in its order.

    Raises:
        TtmlError: It is no TTML document, or a time makes no sense.
    """
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise TtmlError(f"it is no XML: {error}") from error
    if _name(root) != "tt":
        raise TtmlError(f"it is no TTML: the root is <{_name(root)}>, not <tt>")
    clock = _Clock(root)
    cues: list[Cue] = []
    _collect(root, 0.0, clock, cues)
    return cues


class _Clock:
    """Turns a document's times into seconds."""

    def __init__(self, root: ElementTree.Element) -> None:
        try:
            self.frame_rate = float(root.get(f"{_PARAMETERS}frameRate", 30))
            above, below = (float(part) for part in root.get(f"{_PARAMETERS}frameRateMultiplier", "1 1").split())
            self.frame_rate *= above / below
            self.tick_rate = float(root.get(f"{_PARAMETERS}tickRate", 0)) or self.frame_rate
        except (ValueError, ZeroDivisionError) as error:
            raise TtmlError(f"its frame or tick rate makes no sense: {error}") from error
        if self.frame_rate <= 0 or self.tick_rate <= 0:
            raise TtmlError("its frame or tick rate is not positive")

    def seconds(self, moment: str) -> float:
        if found := _CLOCK.fullmatch(moment.strip()):
            hours, minutes, seconds, frames = found.groups()
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds) + float(frames or 0) / self.frame_rate
        if found := _OFFSET.fullmatch(moment.strip()):
            value, unit = float(found[1]), found[2]
            if unit in _SECONDS:
                return value * _SECONDS[unit]
            return value / (self.frame_rate if unit == "f" else self.tick_rate)
        raise TtmlError(f"the time {moment[:40]!r} cannot be read")


def _collect(element: ElementTree.Element, outer_s: float, clock: _Clock, cues: list[Cue]) -> None:
    """Times count from the begin of the element around them (TTML2, 12.3)."""
    begin = element.get("begin")
    start_s = outer_s + (clock.seconds(begin) if begin else 0.0)
    if _name(element) != "p":
        for child in element:
            _collect(child, start_s, clock, cues)
        return
    end, duration = element.get("end"), element.get("dur")
    if begin is None or (end is None and duration is None):
        return
    end_s = outer_s + clock.seconds(end) if end else start_s + clock.seconds(duration or "0s")
    cues.append(Cue(start_s=start_s, end_s=end_s, text=_text(element)))


def _text(element: ElementTree.Element) -> str:
    parts = [_collapsed(element.text)]
    for child in element:
        name = _name(child)
        if name == "br":
            parts.append("\n")
        elif name != "metadata":
            inner = _text(child)
            parts.append(f"<i>{inner}</i>" if child.get(f"{_STYLING}fontStyle") in ("italic", "oblique") else inner)
        parts.append(_collapsed(child.tail))
    return "".join(parts)


def _collapsed(text: str | None) -> str:
    return re.sub(r"\s+", " ", escape(text or ""))


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
