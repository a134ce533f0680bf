"""What is known beside demand and titles; each part may be missing, and a forecast goes without it."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True, kw_only=True, eq=False)
class Signals:
    """Frames that tell of days and regions; an empty one tells nothing.

    Attributes:
        mentions: region_id, title_id, day, mentions: what was said of titles elsewhere. What lies after a panel's end
            is not read, so that an origin of a back-test sees those of the days before it.
        holidays: region_id, day: public holidays, also of the days to forecast.
        likeness: region_id, other_id, likeness (0 or more; absent pairs have none): how much regions are alike, for
            those where little was watched yet.
    """

    mentions: pl.DataFrame = field(default_factory=pl.DataFrame)
    holidays: pl.DataFrame = field(default_factory=pl.DataFrame)
    likeness: pl.DataFrame = field(default_factory=pl.DataFrame)


NO_SIGNALS = Signals()
