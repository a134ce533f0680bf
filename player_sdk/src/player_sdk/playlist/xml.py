"""Reading the XML of an MPD: elements by local name, and attribute values as what they mean."""

from __future__ import annotations

import datetime as dt
import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import urljoin

from player_sdk.errors import PlaylistError
from player_sdk.playlist.model import ByteRange

Element = ElementTree.Element

_DURATION = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,11}(?:\.\d{1,12})?)S)?)?",
    re.ASCII,
)
_UNITS_S = (365 * 86400.0, 30 * 86400.0, 86400.0, 3600.0, 60.0, 1.0)


def parse_xml(text: str, what: str) -> Element:
    """The root of a document.

    Raises:
        PlaylistError: Not XML, or with a document type or entities, which no manifest needs.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise PlaylistError(f"{what}: document types and entities are not accepted in an MPD")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise PlaylistError(f"{what}: not XML: {error}") from error


def name_of(element: Element) -> str:
    """The name without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: Element, name: str) -> list[Element]:
    """Direct children of a name, in order."""
    return [child for child in element if name_of(child) == name]


def first_child(element: Element, name: str) -> Element | None:
    """The first of them."""
    return next(iter(children(element, name)), None)


def text_of(element: Element | None) -> str:
    """What stands in an element, without space around it."""
    return (element.text or "").strip() if element is not None else ""


def integer(text: str | None, what: str, default: int, *, lowest: int = 0) -> int:
    """A whole number; the default where there is none.

    Raises:
        PlaylistError: Something else, or below ``lowest``.
    """
    if text is None:
        return default
    if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII) or int(text) < lowest:
        raise PlaylistError(f"{what}={text[:40]!r} is not a whole number from {lowest}")
    return int(text)


def frame_rate(text: str | None) -> float:
    """``25`` or ``30000/1001``; 0 for anything else, which no choice depends on."""
    match = re.fullmatch(r"(\d{1,9})(?:/(\d{1,9}))?", text or "", re.ASCII)
    if match is None or (match[2] is not None and int(match[2]) == 0):
        return 0.0
    return int(match[1]) / int(match[2] or 1)


def seconds(text: str | None) -> float | None:
    """An XML duration; a year counts 365 days and a month 30.

    Raises:
        PlaylistError: Not one.
    """
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise PlaylistError(f"duration {text[:40]!r} is not of the form PT1H2M3.4S")
    return sum(float(part or 0) * unit_s for part, unit_s in zip(match.groups(), _UNITS_S, strict=True))


def utc_seconds(text: str | None, what: str) -> float | None:
    """A date and time in seconds since 1970; UTC where no zone is named.

    Raises:
        PlaylistError: Not one.
    """
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise PlaylistError(f"{what}={text[:40]!r} is not a date and time") from error


def byte_range(text: str | None, what: str) -> ByteRange | None:
    """``first-last``, both included.

    Raises:
        PlaylistError: Not one.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,15})-(\d{1,15})", text.strip(), re.ASCII)
    if match is None or int(match[2]) < int(match[1]):
        raise PlaylistError(f"{what}={text[:40]!r} is not a range of bytes")
    return ByteRange(offset=int(match[1]), length=int(match[2]) - int(match[1]) + 1)


def join(base_uri: str, uri: str) -> str:
    """Resolve a reference.

    Raises:
        PlaylistError: Not a URI.
    """
    try:
        return urljoin(base_uri, uri)
    except ValueError as error:
        raise PlaylistError(f"{uri[:80]!r} is not a URI: {error}") from error
