"""Connections of the real transport: kept between requests, and HTTP/2 where a server offers it."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import subprocess
import sys

import httpx
import pytest

from player_sdk import http_transport

APP = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(1000)})
"""


@pytest.fixture
def tls_server(tmp_path):
    """A server with HTTP/2 over TLS; its port, and its certificate."""
    pytest.importorskip("granian", reason="no HTTP/2 server: pip install granian")
    x509 = pytest.importorskip("cryptography.x509", reason="no certificates: pip install cryptography")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "c.pem").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "k.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asginl", "--port", str(port), "--no-ws"]
    command += ["--ssl-certificate", "c.pem", "--ssl-keyfile", "k.pem", "app:app"]
    server = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield port, tmp_path / "c.pem"
    server.terminate()
    server.wait(timeout=20)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_http_2_carries_all_requests_over_one_connection(tls_server):
    port, certificate = tls_server

    async def run():
        context = ssl.create_default_context(cafile=str(certificate))
        async with httpx.AsyncClient(transport=http_transport(verify=context)) as http:
            for _ in range(200):
                try:
                    await http.get(f"https://127.0.0.1:{port}/")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.1)
            answers = await asyncio.gather(*(http.get(f"https://127.0.0.1:{port}/{n}") for n in range(8)))
            addresses = {answer.extensions["network_stream"].get_extra_info("client_addr") for answer in answers}
            return {answer.http_version for answer in answers}, addresses

    versions, addresses = asyncio.run(run())
    assert versions == {"HTTP/2"}
    assert len(addresses) == 1


def test_http_1_keeps_its_connection_between_requests(serve, tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    url = f"{serve(tmp_path)}/x"

    async def run():
        async with httpx.AsyncClient(transport=http_transport()) as http:
            answers = [await http.get(url) for _ in range(3)]
            return {answer.extensions["network_stream"].get_extra_info("client_addr") for answer in answers}

    assert len(asyncio.run(run())) == 1
