"""What a container or a file name says about a language, as the tag that manifests carry (RFC 5646)."""

from __future__ import annotations

UNKNOWN = "und"

_TWO_LETTER_CODES = {
    "ara": "ar", "bul": "bg", "cat": "ca", "ces": "cs", "chi": "zh", "cze": "cs", "dan": "da", "deu": "de", "dut": "nl",
    "ell": "el", "eng": "en", "est": "et", "fin": "fi", "fra": "fr", "fre": "fr", "ger": "de", "gre": "el", "heb": "he",
    "hin": "hi", "hrv": "hr", "hun": "hu", "ice": "is", "ind": "id", "isl": "is", "ita": "it", "jpn": "ja", "kor": "ko",
    "lav": "lv", "lit": "lt", "nld": "nl", "nob": "nb", "nor": "no", "pol": "pl", "por": "pt", "ron": "ro", "rum": "ro",
    "rus": "ru", "slk": "sk", "slo": "sk", "slv": "sl", "spa": "es", "srp": "sr", "swe": "sv", "tha": "th", "tur": "tr",
    "ukr": "uk", "vie": "vi", "zho": "zh",
}  # fmt: skip


def language_tag(language: str) -> str:
    """A three-letter language as an RFC 5646 tag, which prefers two letters; ``und`` when unknown."""
    tag = "".join(letter for letter in language.lower() if letter.isascii() and (letter.isalnum() or letter == "-"))
    return _TWO_LETTER_CODES.get(tag, tag) or UNKNOWN
