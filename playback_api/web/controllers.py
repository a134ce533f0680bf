"""The viewer's page at ``/`` and the operator's page at ``/operator``: static files of this package, nothing else."""

from __future__ import annotations

from pathlib import Path

from litestar import Controller, MediaType, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

FOLDER = Path(__file__).parent
ASSETS = {
    "style.css": MediaType.CSS,
    "viewer.js": "text/javascript",
    "player.js": "text/javascript",
    "playlist.js": "text/javascript",
    "operator.js": "text/javascript",
    "schema.js": "text/javascript",
}


class PageController(Controller):
    """Pages for people. They use the same API as every other client."""

    include_in_schema = False

    @get("/", media_type=MediaType.HTML, sync_to_thread=False)
    def viewer_page(self) -> bytes:
        """Rows with posters; a click plays."""
        return (FOLDER / "viewer.html").read_bytes()

    @get("/operator", media_type=MediaType.HTML, sync_to_thread=False)
    def operator_page(self) -> bytes:
        """The snapshot, the edges and the counters."""
        return (FOLDER / "operator.html").read_bytes()

    @get("/assets/{name:str}", sync_to_thread=False)
    def asset(self, name: FromPath[str]) -> Response[bytes]:
        """A script or the style sheet of the pages."""
        if name not in ASSETS:
            raise NotFoundException(f"no asset {name!r}")
        return Response((FOLDER / name).read_bytes(), media_type=ASSETS[name], headers={"Cache-Control": "no-cache"})
