"""Query parameters that several operations share."""

from __future__ import annotations

from typing import Annotated

from litestar.params import QueryParameter

RegionParameter = Annotated[str, QueryParameter(max_length=64, description="The viewer's market; empty when unknown.")]
MaxAgeParameter = Annotated[
    int | None, QueryParameter(ge=0, le=150, description="Leave out titles rated above this age.")
]
