"""The forms of ids and labels in requests, with examples for the reader of ``/schema``."""

from __future__ import annotations

from typing import Annotated

import msgspec

_ID = r"^[a-z0-9-]{1,64}$"

TitleId = Annotated[
    str, msgspec.Meta(pattern=_ID, description="A title.", examples=["s-0001"], extra_json_schema={"maxLength": 64})
]
ViewerId = Annotated[
    str,
    msgspec.Meta(pattern=_ID, description="A viewer.", examples=["v-000123"], extra_json_schema={"maxLength": 64}),
]
RegionId = Annotated[
    str,
    msgspec.Meta(
        pattern=_ID, description="The viewer's market.", examples=["eu-north"], extra_json_schema={"maxLength": 64}
    ),
]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
