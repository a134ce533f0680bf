"""The running playback API as a Dagster resource: all that the graph asks of it is to look at what was published."""

from __future__ import annotations

import logging

import dagster as dg
import httpx

logger = logging.getLogger(__name__)

RELOAD_TIMEOUT_S = 15.0


class ServingPlane(dg.ConfigurableResource[None]):
    """The control API at ``control_url``. It polls the pointer anyway; a reload only makes it look at once."""

    control_url: str

    def reload(self) -> str | None:
        """Ask the API to look at the published snapshot now.

        Returns:
            The id of the snapshot that it serves afterwards; None when it does not answer or serves none, which is
            logged and no error: the API reads the pointer when it is back.
        """
        try:
            response = httpx.post(f"{self.control_url.rstrip('/')}/system/reload", timeout=RELOAD_TIMEOUT_S)
            response.raise_for_status()
            snapshot_id = response.json()["snapshot_id"]
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
            logger.warning("the control API at %s was not reloaded: %s", self.control_url, error)
            return None
        return None if snapshot_id is None else str(snapshot_id)
