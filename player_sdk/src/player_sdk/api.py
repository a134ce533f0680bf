"""The control API as the player uses it: one method a call, errors as the SDK's own."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypeVar

import httpx
import msgspec

from player_sdk.errors import ApiError, ServiceUnavailable, TitleNotFound, TitleUnavailable
from player_sdk.headers import retry_after_s
from player_sdk.models import CataloguePage, HomeItem, HomePage, HomeRow, PlaybackPlan, SearchResults, Title, Viewer

AnswerType = TypeVar("AnswerType", bound=msgspec.Struct)


class _PlacedTitle(msgspec.Struct, frozen=True, kw_only=True):
    title: Title
    reason: str = ""
    match_percent: int | None = None
    resume_position_s: float = 0.0


class _RowAnswer(msgspec.Struct, frozen=True, kw_only=True):
    row_id: str = ""
    name: str = ""
    titles: list[_PlacedTitle] = []


class _HomeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    impression_id: str | None = None
    source: str = ""
    model_version: str = ""
    rows: list[_RowAnswer] = []


class _ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    detail: str = ""


class ControlApi:
    """Calls of the control API.

    Args:
        http: Sends the requests.
        api_url: Its root, such as ``https://api.example.org``.
    """

    def __init__(self, *, http: httpx.AsyncClient, api_url: str) -> None:
        self._http = http
        self._api_url = api_url.rstrip("/")

    async def home(self, viewer: Viewer) -> HomePage:
        """The viewer's home page; every item carries the page's impression."""
        query = {"viewer_id": viewer.viewer_id, "region_id": viewer.region_id}
        return _home_page(await self._get("/v1/home", query, _HomeAnswer))

    async def catalogue(self, *, genre: str | None, cursor: str | None, limit: int | None) -> CataloguePage:
        """A page of the catalogue."""
        query = {"genre": genre, "cursor": cursor, "limit": limit}
        return await self._get("/v1/catalogue/titles", query, CataloguePage)

    async def title(self, title_id: str) -> Title:
        """One title of the catalogue."""
        return await self._get(f"/v1/catalogue/titles/{title_id}", {}, Title)

    async def search(self, text: str) -> SearchResults:
        """Titles that match."""
        return await self._get("/v1/search", {"q": text}, SearchResults)

    async def create_session(self, viewer: Viewer, title_id: str, throughput_bps: float | None) -> PlaybackPlan:
        """Ask to play a title."""
        wish: dict[str, Any] = {
            "viewer_id": viewer.viewer_id,
            "title_id": title_id,
            "region_id": viewer.region_id,
            "device": viewer.device,
            "network_class": viewer.network_class,
        }
        if throughput_bps is not None:
            wish["throughput_bps"] = throughput_bps
        return await self._call("POST", "/v1/playback/sessions", PlaybackPlan, content=msgspec.json.encode(wish))

    async def _get(self, path: str, query: dict[str, Any], kind: type[AnswerType]) -> AnswerType:
        given = {name: value for name, value in query.items() if value is not None}
        return await self._call("GET", path, kind, params=given)

    async def _call(self, method: str, path: str, kind: type[AnswerType], **request: Any) -> AnswerType:
        url = self._api_url + path
        headers = {"Accept": "application/json"}
        if "content" in request:
            headers["Content-Type"] = "application/json"
        try:
            response = await self._http.request(method, url, headers=headers, **request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceUnavailable(f"{method} {url}: {type(error).__name__} {error}".strip()) from error
        if not response.is_success:
            raise _api_error(f"{method} {url}", response)
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.DecodeError as error:
            raise ApiError(
                f"{method} {url} answered something that is no {kind.__name__}: {error}",
                status_code=response.status_code,
            ) from error


def _home_page(answer: _HomeAnswer) -> HomePage:
    rows = []
    for row in answer.rows:
        items = tuple(
            HomeItem(
                title_id=placed.title.title_id,
                name=placed.title.name,
                reason=placed.reason,
                impression_id=answer.impression_id,
                genres=tuple(placed.title.genres),
                match_percent=placed.match_percent,
                resume_position_s=placed.resume_position_s,
            )
            for placed in row.titles
        )
        rows.append(HomeRow(row_id=row.row_id, name=row.name, items=items))
    return HomePage(
        impression_id=answer.impression_id,
        source=answer.source,
        model_version=answer.model_version,
        rows=tuple(rows),
    )


def _api_error(call: str, response: httpx.Response) -> ApiError:
    try:
        detail = msgspec.json.decode(response.content, type=_ErrorBody).detail
    except msgspec.DecodeError:
        detail = response.text[:200]
    status = response.status_code
    message = f"{call} answered {status}: {detail or response.reason_phrase}"
    if status == 404:
        return TitleNotFound(message, status_code=status, detail=detail)
    if status == 451:
        return TitleUnavailable(message, status_code=status, detail=detail)
    if status in (429, 502, 503, 504):
        wait_s = retry_after_s(response.headers, dt.datetime.now(dt.UTC))
        return ServiceUnavailable(message, status_code=status, detail=detail, retry_after_s=wait_s)
    return ApiError(message, status_code=status, detail=detail)
