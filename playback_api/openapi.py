"""The API's description: what ``/schema`` shows and what is committed as ``openapi.json``.

    python -m playback_api.openapi         writes playback_api/openapi.json

The page at ``/schema`` is this module's own: the usual viewers load their scripts from the internet, and an operator's
network may have none. They can still be pointed at ``/schema/openapi.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from litestar import Litestar, Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Tag

SCHEMA_FILE = Path(__file__).with_name("openapi.json")
PAGE_FILE = Path(__file__).with_name("web") / "schema.html"
API_VERSION = "1.0.0"


class SelfContainedPage(OpenAPIRenderPlugin):
    """A page that reads the schema and loads nothing from elsewhere."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page; it fetches ``openapi.json`` beside it."""
        return PAGE_FILE.read_bytes()


def openapi_config() -> OpenAPIConfig:
    """What describes the API."""
    return OpenAPIConfig(
        title="Matinee control API",
        version=API_VERSION,
        description=(
            "Playback, content steering, catalogue, home page and search of Matinee, answered from the published "
            "snapshot. Errors are `{status_code, detail, extra}`. Times are UTC, units stand in names."
        ),
        path="/schema",
        render_plugins=[SelfContainedPage(), JsonRenderPlugin()],
        use_handler_docstrings=False,
        tags=[
            Tag(name="playback", description="Starting to watch."),
            Tag(name="keys", description="Keys of protected titles."),
            Tag(name="steering", description="Which pathway a running session should use."),
            Tag(name="home", description="What to watch next."),
            Tag(name="catalogue", description="What there is to watch."),
            Tag(name="search", description="Finding something to watch."),
            Tag(name="profiles", description="What a viewer watched and chose."),
            Tag(name="system", description="For operators."),
        ],
    )


def schema_text(app: Litestar) -> str:
    """The schema as it is committed: sorted and indented, so that a change reads well in a diff."""
    return json.dumps(app.openapi_schema.to_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the committed schema."""
    from playback_api.control import create_control_app
    from playback_api.settings import ControlSettings

    nowhere = Path("unused")
    settings = ControlSettings(store_folder=nowhere, profile_path=nowhere, event_log_folder=nowhere, secret="unused")
    SCHEMA_FILE.write_text(schema_text(create_control_app(settings)), encoding="utf-8")
    sys.stdout.write(f"wrote {SCHEMA_FILE}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
