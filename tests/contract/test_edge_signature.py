"""The two halves of what is said to edges agree: the graph's in orchestration.edge, the edge's in playback_api.edge."""

import hashlib
import hmac

import msgspec
import pytest

from orchestration.edge import orders, signing
from playback_api.edge import SignatureRefusedError, schema, verify
from playback_api.edge import signing as edge_signing

BODY = '{"plan_id": "p-1", "ümlaut": true}'.encode()


def test_signature_made_by_the_graph_is_accepted_by_an_edge():
    header = signing.sign("secret", "POST", "/edge/fill", BODY, now=1_800_000_000.9)
    verify("secret", header, "POST", "/edge/fill", BODY, now=1_800_000_100)
    assert header == edge_signing.sign("secret", "POST", "/edge/fill", BODY, now=1_800_000_000.9)
    assert signing.SIGNATURE_HEADER == edge_signing.SIGNATURE_HEADER


def test_signature_is_what_the_contract_says():
    expected = hmac.new(b"secret", b"1800000000.POST./edge/fill." + BODY, hashlib.sha256).hexdigest()
    assert signing.sign("secret", "POST", "/edge/fill", BODY, now=1_800_000_000) == f"t=1800000000,v1={expected}"


@pytest.mark.parametrize(
    "change",
    [{"secret": "other"}, {"method": "PUT"}, {"path": "/edge/purge"}, {"body": BODY + b" "}, {"now": 1_800_000_301}],
)
def test_signature_of_anything_else_is_refused(change):
    header = signing.sign("secret", "POST", "/edge/fill", BODY, now=1_800_000_000)
    call = {"secret": "secret", "method": "POST", "path": "/edge/fill", "body": BODY, "now": 1_800_000_000.0} | change
    with pytest.raises(SignatureRefusedError):
        verify(call["secret"], header, call["method"], call["path"], call["body"], now=call["now"])


@pytest.mark.parametrize(
    "name",
    [
        "FillObject",
        "FillGroup",
        "FillOrder",
        "FailedObject",
        "FillProgress",
        "PurgeOrder",
        "PurgeReport",
        "EdgeInventory",
    ],
)
def test_both_sides_have_the_same_fields(name):
    callers = {field.encode_name: field.required for field in msgspec.structs.fields(getattr(orders, name))}
    edges = {field.encode_name: field.required for field in msgspec.structs.fields(getattr(schema, name))}
    assert callers == edges


def test_order_of_the_graph_is_read_by_an_edge():
    item = orders.FillObject(key="t-1/r/a/1.m4s", size_bytes=3, sha256="0" * 64)
    group = orders.FillGroup(title_id="t-1", package_id="pk1", rung="240p", segment_group=0, value=1.5, objects=[item])
    order = orders.FillOrder(plan_id="plan-1", upstream_url="http://origin", groups=[group], stop_at=1.0)
    read = msgspec.json.decode(msgspec.json.encode(order), type=schema.FillOrder)
    assert msgspec.to_builtins(read) == msgspec.to_builtins(order)
