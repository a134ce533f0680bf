"""WebVTT (W3C): read it leniently, mend it, write it strictly.

What comes from editors and converters overlaps, runs past the film's end, holds markup of other formats and stray angle
brackets. What goes to players holds none of it: cues in order of time and within the film, plain text with the few tags
that WebVTT knows, each of them closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

_TIMING = re.compile(
    r"^\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})(?:[ \t]+(.*))?$", re.ASCII
)
_SETTING = re.compile(r"^(?:vertical:(?:rl|lr)|line:-?[\d.]+%?(?:,\w+)?|position:[\d.]+%(?:,[\w-]+)?|size:[\d.]+%"
                      r"|align:(?:start|center|end|left|right))$", re.ASCII)  # fmt: skip
_TAG = re.compile(r"<(/?)([a-z]+)((?:\.[^\s<>&.]+)*)((?:[ \t][^<>]*)?)>")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|<(?:\d+:)?\d{2}:\d{2}\.\d{3}>|\{\\[^{}]*\}", re.ASCII)
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|nbsp|lrm|rlm|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
_KNOWN_TAGS = frozenset({"i", "b", "u", "c", "v", "lang", "ruby", "rt"})
_NEED_TEXT = frozenset({"v", "lang"})


@dataclass(frozen=True, kw_only=True)
class Cue:
    """One caption: when it is shown, its lines, and where, in WebVTT's own cue settings."""

    start_s: float
    end_s: float
    text: str
    settings: str = ""


def parse_webvtt(text: str) -> list[Cue]:
    """The cues of a file, in its order; blocks that are none (notes, styles, garbage) are passed over."""
    cues = []
    for block in re.split(r"\n[ \t]*\n+", text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")):
        lines = block.strip("\n").split("\n")
        for number, line in enumerate(lines[:2]):  # a cue may have a name in its first line
            if found := _TIMING.match(line):
                settings = " ".join(word for word in (found[3] or "").split() if _SETTING.match(word))
                cue = Cue(
                    start_s=_seconds(found[1]),
                    end_s=_seconds(found[2]),
                    text="\n".join(lines[number + 1 :]),
                    settings=settings,
                )
                cues.append(cue)
                break
    return cues


def clean_cues(cues: Iterable[Cue], film_s: float) -> list[Cue]:
    """Cues in order of time and within the film; empty ones and those of no length are dropped."""
    kept = []
    for cue in cues:
        text = _clean_text(cue.text)
        start_ms, end_ms = _milliseconds(max(cue.start_s, 0.0)), _milliseconds(min(cue.end_s, film_s))
        if text and end_ms > start_ms:
            kept.append(replace(cue, start_s=start_ms / 1000, end_s=end_ms / 1000, text=text))
    return sorted(dict.fromkeys(kept), key=lambda cue: (cue.start_s, cue.end_s))


def write_webvtt(cues: Sequence[Cue]) -> str:
    """A file of cues that are clean already; moments are rounded to milliseconds."""
    blocks = [
        f"{_moment(cue.start_s)} --> {_moment(cue.end_s)}{' ' if cue.settings else ''}{cue.settings}\n{cue.text}\n"
        for cue in cues
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _clean_text(text: str) -> str:
    """The lines of a cue without foreign markup, without empty lines, with every tag closed."""
    pieces: list[str] = []
    open_tags: list[str] = []
    position = 0
    for found in _TAG.finditer(text):
        closes, name, classes, note = found.groups()
        if name not in _KNOWN_TAGS or (name in _NEED_TEXT and not closes and not note.strip()):
            continue
        pieces.append(_plain(text[position : found.start()]))
        position = found.end()
        if not closes:
            open_tags.append(name)
            pieces.append(f"<{name}{classes}{_escaped(note) if name in _NEED_TEXT else ''}>")
        elif name in open_tags:
            while (innermost := open_tags.pop()) != name:
                pieces.append(f"</{innermost}>")
            pieces.append(f"</{name}>")
    pieces.append(_plain(text[position:]))
    pieces += [f"</{name}>" for name in reversed(open_tags)]
    lines = (line.strip() for line in "".join(pieces).split("\n"))
    cleaned = "\n".join(line for line in lines if line)
    return cleaned if _TAG.sub("", cleaned).strip() else ""


def _plain(text: str) -> str:
    return _escaped(_MARKUP.sub("", text))


def _escaped(text: str) -> str:
    return _ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def _seconds(moment: str) -> float:
    *hours, minutes, seconds = moment.replace(",", ".").split(":")
    return int(hours[0] if hours else 0) * 3600 + int(minutes) * 60 + float(seconds)


def _milliseconds(moment_s: float) -> int:
    return int(round(moment_s * 1000, 3))


def _moment(moment_s: float) -> str:
    minutes, milliseconds = divmod(round(moment_s * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"
