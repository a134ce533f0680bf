"""The overview of the network that the graph publishes once a day, as it stands in the store."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from playback_api.domain.errors import NetworkNotTold
from playback_api.domain.system.schemas import NetworkReport

logger = logging.getLogger(__name__)

POINTER = Path("network/CURRENT")


class NetworkOverview:
    """Reads what ``network/CURRENT`` names, each time that somebody asks: seldom, and a few kilobytes."""

    def __init__(self, store_folder: Path) -> None:
        self._store_folder = store_folder

    def read(self) -> NetworkReport:
        """The newest overview.

        Raises:
            NetworkNotTold: There is none, or it cannot be read, which is logged.
        """
        try:
            name = (self._store_folder / POINTER).read_text(encoding="utf-8").strip()
            return msgspec.json.decode((self._store_folder / name).read_bytes(), type=NetworkReport)
        except FileNotFoundError:
            raise NetworkNotTold(
                "no overview of the network yet: it fills in after the first full day under a plan, when the job "
                "`maintain_lake` has run; or materialise ops/network"
            ) from None
        except (OSError, ValueError) as error:  # msgspec's DecodeError is a ValueError
            logger.error("the overview of the network cannot be read: %s", error)
            raise NetworkNotTold("the overview of the network cannot be read; materialise ops/network") from error
