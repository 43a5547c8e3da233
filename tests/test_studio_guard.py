"""What the studio lets in: each rule against a real server on a socket, and each would be broken without its guard."""

import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import Commands
from glassloom.studio import Server
from glassloom.studio.guard import HEADERS, Rules, is_own_name
from studios import Asked, raw, serving, until


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[Server]:
    with serving(trained.parent) as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere(trained: Path) -> Iterator[Server]:
    """One that listens on every address of the machine, and so asks for a token."""
    with serving(trained.parent, "0.0.0.0") as running:
        yield running


def test_it_listens_on_this_machine_alone(server: Server) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    assert server.address.token is None
    assert Asked(server, "/api/runs").status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "user@127.0.0.1:{port}",
        "10.1.2.3:{port}",
        "",
    ],
)
def test_another_hosts_name_is_refused(server: Server, host: str) -> None:
    """A page of evil.example whose name is made to point here (DNS rebinding) sends its own name."""
    named = host.format(port=server.address.port)
    for path in ("/", "/main.js", "/api/runs"):
        assert Asked(server, path, host=named).status == 421
    body = b"{}"
    assert Asked(server, "/api/train", body, host=named, origin=f"http://{named}").status == 421


def test_own_names_are_let_in(server: Server) -> None:
    for name in ("localhost", "127.0.0.1", "[::1]", "LOCALHOST"):
        assert Asked(server, "/", host=f"{name}:{server.address.port}").status == 200
    two = f"GET / HTTP/1.1\r\nHost: localhost:{server.address.port}\r\nHost: evil.example\r\n\r\n".encode()
    assert raw(server, two)[0].split()[1] in (b"400", b"421")


def test_nobody_elses_page_is_told_that_it_may_read(server: Server) -> None:
    answer = Asked(server, "/api/runs", origin="http://evil.example")
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    asked = Asked(server, "/api/train", b"{}", method="OPTIONS", origin="http://evil.example",
                  access_control_request_method="POST")  # fmt: skip
    assert asked.status == 405
    assert not [name for name in asked.headers if name.lower().startswith("access-control")]
    assert Asked(server, "/api/runs", sec_fetch_site="cross-site").status == 403
    assert Asked(server, "/main.js", sec_fetch_site="same-site").status == 403
    assert Asked(server, "/", sec_fetch_site="cross-site").status == 200, "a link leads to the page itself"


@pytest.mark.parametrize(
    "path",
    ["/api/train", "/api/stop", "/api/write", "/api/look", "/api/file", "/api/owes", "/api/alternatives", "/api/open"],
)
def test_every_post_must_come_from_the_page_itself(server: Server, path: str) -> None:
    port = server.address.port
    wrong = [
        {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"sec_fetch_site": "none"},
        {"sec_fetch_site": None, "origin": None}, {"sec_fetch_site": None, "origin": "http://evil.example"},
        {"sec_fetch_site": None, "origin": "null"}, {"sec_fetch_site": None, "origin": f"https://127.0.0.1:{port}"},
        {"origin": "http://evil.example"},
    ]  # fmt: skip
    for headers in wrong:
        assert Asked(server, path, {}, **headers).status == 403, headers
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", ""):
        assert Asked(server, path, b"{}", content_type=kind).status == 415, "a form of another page sends these"
    assert Asked(server, path, {}).status == 400, "let in, and then told what is missing"
    assert Asked(server, path, {}, sec_fetch_site=None).status == 400


def test_beyond_this_machine_a_token_is_asked_for(elsewhere: Server) -> None:
    token = elsewhere.address.token
    assert token is not None
    assert len(token) >= 32
    assert elsewhere.address.url.endswith(f"/?token={token}")
    for path in ("/", "/main.js", "/api/runs", "/?token=wrong", "/?token=", f"/api/runs?token={token[:-1]}"):
        refused = Asked(elsewhere, path)
        assert refused.status == 403, path
        assert "set-cookie" not in refused.headers
    assert Asked(elsewhere, "/api/train", {}).status == 403
    entered = Asked(elsewhere, f"/?token={token}")
    assert (entered.status, entered.headers["location"]) == (303, "/"), "so that the token leaves the address"
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    held = cookie.split(";")[0]
    assert Asked(elsewhere, "/api/runs", cookie=held).status == 200
    assert Asked(elsewhere, "/api/train", {}, cookie=held).status == 400
    assert Asked(elsewhere, "/api/runs", cookie=held[:-1]).status == 403
    assert Asked(elsewhere, "/api/runs", cookie=held, host=f"evil.example:{elsewhere.address.port}").status == 421


def test_names_that_are_the_servers_own() -> None:
    here, everywhere = Rules("127.0.0.1", 80), Rules("0.0.0.0", 80, "token")
    assert is_own_name("localhost", here), "a browser leaves port 80 out"
    assert not is_own_name("192.168.0.7", here)
    assert is_own_name("192.168.0.7", everywhere), "no other name can become an address in numbers"
    assert not is_own_name("evil.example", everywhere)
    assert is_own_name("lab-3", Rules("lab-3", 80, "token"))


def test_every_answer_carries_the_strict_headers(server: Server) -> None:
    paths = ("/", "/main.js", "/style.css", "/api/runs", "/nothing", "/api/run?name=nothing")
    for answer in [*(Asked(server, path) for path in paths), Asked(server, "/", host="evil.example")]:
        for name, value in HEADERS.items():
            assert name == "cache-control" or answer.headers[name] == value
    policy = HEADERS["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = Asked(server, "/").body.decode()
    assert "<script>" not in page
    assert " style=" not in page
    assert " onclick" not in page


def test_a_report_is_shown_in_an_origin_of_its_own(server: Server) -> None:
    answer = Asked(server, "/report?run=whole")
    assert answer.status == 200
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in answer.headers["content-security-policy"]
    assert b"<h1" in answer.body


def test_too_much_is_refused_by_its_length_and_as_it_grows(server: Server) -> None:
    started = time.monotonic()
    announced = f"POST /api/write HTTP/1.1\r\nHost: localhost:{server.address.port}\r\nOrigin: http://localhost:" \
        f"{server.address.port}\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{{"  # fmt: skip
    back, seconds = raw(server, announced.encode())
    assert back.split()[1] == b"413"
    assert seconds < 5, "before the body is there"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [b"[" + b" " * 65535] * 8) + b"0\r\n\r\n"
    grown = announced.replace("Content-Length: 99999999", "Transfer-Encoding: chunked").removesuffix("{").encode()
    assert raw(server, grown + chunks)[0].split()[1] == b"413"
    assert Asked(server, "/api/train", b'{"text": "' + b"a" * 400_000 + b'"}').status == 400, "a text may be longer"
    headers = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000
    assert raw(server, headers)[0].split()[1] in (b"400", b"431")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST /api/write HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}"
        "\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        "GET /api/views HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"
        "POST /api/open HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}"
        "\r\nContent-Type: application/json\r\nContent-Length: 10000\r\n\r\n{{",
    ],
)
def test_a_slow_sender_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch, sent: str) -> None:
    """After ten seconds; here after half a one, drop by drop, so that no single wait is long."""
    assert server.uvicorn.config.http.patience == 10.0
    monkeypatch.setattr(server.uvicorn.config.http, "patience", 0.5)
    with socket.create_connection(("127.0.0.1", server.address.port), timeout=20) as connection:
        connection.sendall(sent.format(port=server.address.port).encode())
        connection.settimeout(0.05)

        def cut_off() -> bool:
            try:
                if sent:
                    connection.sendall(b" ")
                return connection.recv(1000) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        until(cut_off, 10)


def test_who_has_sent_all_is_not_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.uvicorn.config.http, "patience", 0.2)
    connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=20)
    connection.connect()
    held = connection.sock
    for _ in range(3):
        connection.request("GET", "/api/runs")
        assert connection.getresponse().read().startswith(b"{")
        time.sleep(0.3)
        assert connection.sock is held, "the same connection, longer than any request may take to arrive"
    connection.close()


def test_an_address_that_cannot_be_listened_on_is_a_sentence(server: Server, commands: Commands) -> None:
    port = server.address.port
    assert "choose another --port" in commands.refused("studio", "--port", port, "--no-open")
    assert "Nothing can listen on" in commands.refused("studio", "--host", "198.51.100.7", "--port", 0, "--no-open")
