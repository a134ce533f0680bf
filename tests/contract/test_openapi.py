"""The HTTP API keeps what ``openapi.json`` promises."""

import json
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from litestar import Litestar
from litestar.testing import TestClient
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from playback_api.control import ControlPorts, create_control_app
from playback_api.openapi import SCHEMA_FILE, schema_text
from playback_api.settings import ControlSettings
from playback_api.snapshot.testing import NOON, make_content, publish_content

COMMITTED = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
EXAMPLES = 12
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def make_app(folder: Path) -> Litestar:
    async def no_edge_answers(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no edge here", request=request)

    control = ControlSettings(
        store_folder=folder / "store",
        profile_path=folder / "profile.sqlite",
        event_log_folder=folder / "events",
        secret="secret",
        snapshot_poll_s=3600.0,
        inventory_poll_s=3600.0,
    )
    ports = ControlPorts(clock=lambda: NOON, edge_transport=httpx.MockTransport(no_edge_answers))
    return create_control_app(control, ports)


def test_the_committed_schema_is_the_one_of_the_code(tmp_path):
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(make_app(tmp_path)), (
        "the API changed: run `python -m playback_api.openapi`, and read the diff as a client would"
    )


def test_every_operation_has_an_id_a_summary_and_a_tag():
    operations = [operation for verbs in COMMITTED["paths"].values() for operation in verbs.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"] and operation["tags"] for operation in operations)


def test_every_answer_but_a_plain_200_is_described_in_words_of_its_own():
    unsaid = [
        f"{operation['operationId']} {status}"
        for verbs in COMMITTED["paths"].values()
        for operation in verbs.values()
        for status, answer in operation["responses"].items()
        if status != "200" and answer["description"] == HTTPStatus(int(status)).description
    ]
    assert unsaid == []


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("get", "/v1/home"),
        ("get", "/v1/catalogue/titles"),
        ("get", "/v1/catalogue/titles/{title_id}"),
        ("get", "/v1/search"),
        ("post", "/v1/playback/sessions"),
        ("get", "/v1/steering/{session_id}"),
        ("get", "/v1/profiles/{viewer_id}"),
        ("get", "/system/health"),
        ("get", "/system/ready"),
        ("get", "/system/snapshot"),
        ("post", "/system/reload"),
        ("get", "/metrics"),
    ],
)
def test_the_calls_of_the_contract_are_there(verb, path):
    assert verb in COMMITTED["paths"][path]


SCHEMA = schemathesis.openapi.from_dict(COMMITTED)
OPERATIONS = [(verb, path) for path, verbs in sorted(COMMITTED["paths"].items()) for verb in verbs]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("control")
    publish_content(folder / "store", make_content())
    with TestClient(make_app(folder), raise_server_exceptions=False) as opened:
        yield opened


@pytest.mark.parametrize(("verb", "path"), OPERATIONS)
def test_whatever_is_sent_the_answer_is_one_that_was_promised(client, verb, path):
    @given(case=SCHEMA[path][verb.upper()].as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case):
        request = case.as_transport_kwargs(base_url=str(client.base_url))
        answer = client.request(**{name: value for name, value in request.items() if name != "cookies"})
        case.validate_response(answer, checks=CHECKS)

    send()
