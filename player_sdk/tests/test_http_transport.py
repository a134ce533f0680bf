"""Connections of the real transports: kept between requests, HTTP/2 where a server offers it, and how they fail."""

import asyncio
import contextlib
import datetime as dt
import gzip
import ipaddress
import re
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass, field

import httpx
import pytest

from player_sdk import PlayerError, http1_transport, http_transport

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


BODY = bytes(range(256)) * 4000
ANSWERS = {
    "/film": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Said: h\xe9\r\n\r\n%b" % (len(BODY), BODY),
    "/pieces": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    "/packed": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(gzip.compress(b"abc")), gzip.compress(b"abc")),
    "/elsewhere": b"HTTP/1.1 302 Found\r\nLocation: /pieces\r\nContent-Length: 0\r\n\r\n",
    "/short": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
    "/garbled": b"nonsense\r\n\r\n",
    "/gone": b"",
}
"""What a server says, by path; of others, nothing."""


@dataclass
class Server:
    """A server on loopback that keeps what it was asked."""

    url: str = ""
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head)
                length = re.search(rb"(?i)content-length: (\d+)", head)
                self.bodies.append(await reader.readexactly(int(length[1]) if length else 0))
                path = head.split()[1].decode().partition("?")[0]
                writer.write(ANSWERS.get(path, b""))
                await writer.drain()
                if path in ("/short", "/gone", "/garbled"):
                    break
        writer.close()


@pytest.fixture(params=["http", "http1"])
def transport(request):
    """Makes one of the transports."""
    if request.param == "http":
        return http_transport
    pytest.importorskip("aiohttp", reason="no aiohttp: pip install 'player-sdk[crowd]'")
    return http1_transport


def ask(transport, talk):
    """Let ``talk`` have a client of a server; returns what it does, and the server."""

    async def run():
        server = Server()
        listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with listening, httpx.AsyncClient(transport=transport(), follow_redirects=True) as http:
            found = await talk(http, server.url)
        return found, server

    return asyncio.run(run())


def test_a_connection_is_kept_between_requests(transport):
    async def talk(http, url):
        return [await http.get(f"{url}/film") for _ in range(3)]

    answers, server = ask(transport, talk)
    assert [answer.content for answer in answers] == [BODY] * 3
    assert answers[0].headers["x-said"] == "h\xe9"
    assert server.connections == 1


def test_a_body_that_is_not_wanted_any_more_takes_its_connection_with_it(transport):
    async def talk(http, url):
        async with http.stream("GET", f"{url}/film") as answer:
            async for piece in answer.aiter_bytes():
                first = piece
                break
        return first, (await http.get(f"{url}/pieces")).content

    (first, next_one), server = ask(transport, talk)
    assert BODY.startswith(first)
    assert next_one == b"abcde"
    assert server.connections == 2


def test_what_is_packed_or_elsewhere_is_read_as_it_is_meant(transport):
    async def talk(http, url):
        return [(await http.get(f"{url}{path}")).content for path in ("/packed", "/elsewhere")]

    assert ask(transport, talk)[0] == [b"abc", b"abcde"]


def test_what_is_asked_arrives_as_it_was_written(transport):
    async def talk(http, url):
        headers = {"Range": "bytes=1-2", "User-Agent": "kiosk", "Content-Type": "application/msgpack"}
        await http.get(f"{url}/film", params={"a": "b c/d"}, headers=headers)
        await http.post(f"{url}/film", content=b"beats")

    server = ask(transport, talk)[1]
    asked = server.heads[0].decode().lower()
    assert asked.startswith("get /film?a=b+c%2fd http/1.1\r\n")
    for header in ("range: bytes=1-2", "user-agent: kiosk", f"host: {server.url.removeprefix('http://')}"):
        assert asked.count(f"\r\n{header}\r\n") == 1
    for name in ("user-agent:", "accept:", "accept-encoding:", "content-type:"):
        assert asked.count(name) == 1
    assert server.bodies == [b"", b"beats"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/short", httpx.RemoteProtocolError),
        ("/garbled", httpx.RemoteProtocolError),
        ("/gone", httpx.RemoteProtocolError),
        ("/silent", httpx.ReadTimeout),
        ("closed", httpx.ConnectError),
    ],
)
def test_what_fails_is_called_the_same_in_both(transport, path, error):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens, and nobody else can while this one has it
        closed_url = f"http://127.0.0.1:{closed.getsockname()[1]}/"

        async def talk(http, url):
            where = closed_url if path == "closed" else f"{url}{path}"
            read_s = 0.1 if path == "/silent" else 60.0
            with pytest.raises(error) as caught:
                await http.get(where, timeout=httpx.Timeout(60.0, read=read_s))
            return caught.value.request.url

        assert ask(transport, talk)[0].path == ("/" if path == "closed" else path)


def test_without_the_extra_the_second_transport_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "player_sdk.transports.http1", raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(PlayerError, match=r"player-sdk\[crowd\]"):
        http1_transport()
