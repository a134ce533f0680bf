"""Run one server process: control, collector, origin or edge.

    python -m playback_api.serve edge --port 8811        settings come from MATINEE_* variables

One process is one worker on one event loop, so that nothing outlives its parent; more of the same scale out. Granian is
embedded for that reason: its own multi-process master, when killed, leaves workers on the port.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from playback_api.settings import (
    CollectorSettings,
    ControlSettings,
    EdgeSettings,
    OriginSettings,
    ServingSettingsError,
    read_serving_settings,
)

if TYPE_CHECKING:
    from litestar import Litestar

logger = logging.getLogger("playback_api.serve")


def create_control() -> Litestar:
    """The control API, from the environment."""
    from playback_api.control import create_control_app

    return create_control_app(read_serving_settings(ControlSettings))


def create_collector() -> Litestar:
    """The heartbeat collector, from the environment."""
    from playback_api.collector import create_collector_app

    return create_collector_app(read_serving_settings(CollectorSettings))


def create_origin() -> Litestar:
    """The origin, from the environment."""
    from playback_api.origin import create_origin_app

    return create_origin_app(read_serving_settings(OriginSettings))


def create_edge() -> Litestar:
    """One edge node, from the environment."""
    from playback_api.edge_node import create_edge_app

    return create_edge_app(read_serving_settings(EdgeSettings))


APPLICATIONS: dict[str, Callable[[], Litestar]] = {
    "control": create_control,
    "collector": create_collector,
    "origin": create_origin,
    "edge": create_edge,
}


async def serve(app: Litestar, *, host: str, port: int, exit_with_parent: bool = False) -> None:
    """Serve until SIGINT or SIGTERM, or until standard input closes when ``exit_with_parent``."""
    from granian.constants import Interfaces
    from granian.server.embed import Server

    server = Server(app, address=host, port=port, interface=Interfaces.ASGI, log_access=False, backlog=1024)
    loop = asyncio.get_running_loop()
    stop_requested = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop_requested.set)
    if exit_with_parent:
        threading.Thread(target=_wait_for_parent, args=(loop, stop_requested), daemon=True).start()
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop_requested.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        server.stop()
    stopping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _wait_for_parent(loop: asyncio.AbstractEventLoop, stop_requested: asyncio.Event) -> None:
    # The parent holds the other end of this pipe; however it ends, kill -9 included, the read returns.
    # The file descriptor is read, not the buffer over it, whose lock a daemon thread would hold at exit.
    while os.read(0, 1024):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        loop.call_soon_threadsafe(stop_requested.set)


def main() -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m playback_api.serve", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("application", choices=sorted(APPLICATIONS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when standard input closes")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # The regular look at the edges would fill the log.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        app = APPLICATIONS[arguments.application]()
    except ServingSettingsError as error:
        logger.error("%s", error)
        return 2
    asyncio.run(serve(app, host=arguments.host, port=arguments.port, exit_with_parent=arguments.exit_with_parent))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
