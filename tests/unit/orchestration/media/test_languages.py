from __future__ import annotations

import pytest

from orchestration.media.languages import language_tag


@pytest.mark.parametrize(("said", "tag"), [("eng", "en"), ("deu", "de"), ("und", "und"), ("", "und"), ("gsw", "gsw")])
def test_language_tags(said: str, tag: str) -> None:
    assert language_tag(said) == tag
