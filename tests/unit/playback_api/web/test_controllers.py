"""The pages are served, refer only to what is served, and load nothing from elsewhere."""

import re

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from playback_api.web.controllers import ASSETS, FOLDER, PageController

FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in {".js", ".css", ".html"})


@pytest.fixture
async def client():
    async with AsyncTestClient(Litestar([PageController], openapi_config=None)) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/", "/operator"])
async def test_a_page_and_everything_it_names_is_there(client, path):
    page = await client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    named = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page.text)
    assert named
    for asset in named:
        assert (await client.get(asset)).status_code == 200


@pytest.mark.parametrize(
    "name", sorted(path.name for path in FOLDER.iterdir() if path.suffix in {".js", ".css", ".html"})
)
def test_nothing_is_loaded_from_elsewhere(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert not re.search(r"(https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text.replace("http://www.w3.org", ""))
    if not name.endswith(".html"):
        assert name in ASSETS


@pytest.mark.parametrize("name", sorted(name for name in ASSETS if name.endswith(".js")))
def test_scripts_import_only_what_is_served(name):
    for imported in re.findall(r'from "\./([^"]+)"', (FOLDER / name).read_text(encoding="utf-8")):
        assert imported in ASSETS


async def test_other_files_of_the_package_are_not_served(client):
    for name in ("controllers.py", "__init__.py", "..%2Fcontrol.py"):
        assert (await client.get(f"/assets/{name}")).status_code == 404
