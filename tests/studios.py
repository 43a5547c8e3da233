"""A studio that listens on a real socket in a thread of its own, and requests made by hand."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from glassloom.studio import Server

TINY = ("--width", "8", "--layers", "1", "--steps", "4", "--batch-size", "4", "--sequence-length", "16",
        "--eval-every", "2", "--sample-every", "4", "--sample-length", "10", "--threads", "1")  # fmt: skip


@contextmanager
def serving(folder: Path, host: str = "127.0.0.1", **more: Any) -> Iterator[Server]:
    """The studio over a folder, on any free port, until the block ends."""
    server = Server(folder, host, port=0, **more)
    listening = threading.Event()
    thread = threading.Thread(target=server.run, args=(lambda address: listening.set(),), daemon=True)
    thread.start()
    listening.wait(20)
    until(lambda: server.uvicorn.started)
    try:
        yield server
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive(), "the studio ends when it is asked to"


def until(done: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait until something is true; what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := done():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come to be in time")


class Asked:
    """One request's answer: status, headers, body."""

    def __init__(
        self, server: Any, path: str, body: Any = None, method: str | None = None, **headers: str | None
    ) -> None:
        """A POST where there is a body, with what the studio's own page would send, unless `headers` say otherwise."""
        port = server.address.port
        given: dict[str, str | None] = {"host": f"127.0.0.1:{port}"}
        if body is not None:
            given |= {
                "content-type": "application/json",
                "origin": f"http://127.0.0.1:{port}",
                "sec-fetch-site": "same-origin",
            }
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.putrequest(
            method or ("GET" if body is None else "POST"), path, skip_host=True, skip_accept_encoding=True
        )
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None and "transfer-encoding" not in given:
            given.setdefault("content-length", str(len(content)))
        for name, value in given.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        with suppress(BrokenPipeError, ConnectionResetError):  # refused by its announced length
            connection.send(content)
        answer = connection.getresponse()
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()
        connection.close()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


def raw(server: Server, sent: bytes, patience: float = 20.0) -> tuple[bytes, float]:
    """What comes back of some bytes until the server hangs up, and after how many seconds it did."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.address.port), timeout=patience) as connection:
        connection.sendall(sent)
        back = b""
        try:
            while piece := connection.recv(65536):
                back += piece
        except ConnectionResetError:
            pass
    return back, time.monotonic() - began
