"""A completions server that listens on a real socket in a thread of its own, and the openai client for it."""

import http.client
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from openai import OpenAI

from glassloom.runs import Run
from glassloom.serving import Limits
from glassloom.serving.server import CompletionsServer
from studios import until


@contextmanager
def serving(runs: Sequence[Path], host: str = "127.0.0.1", token: str | None = None, **limits: Any) -> Iterator[Any]:
    """A server over some run folders, on any free port, until the block ends."""
    server = CompletionsServer(map(Run, runs), host, port=0, token=token, limits=Limits(**limits))
    thread = threading.Thread(target=server.run, args=(lambda served: None,), daemon=True)
    thread.start()
    until(lambda: server.uvicorn.started)
    try:
        yield server
    finally:
        server.stop()
        thread.join(60)
        assert not thread.is_alive(), "the server ends when it is asked to"


def client_of(server: CompletionsServer, key: str = "none", **named: Any) -> OpenAI:
    """OpenAI's own client; what is refused is not tried again."""
    return OpenAI(base_url=server.served.url, api_key=key, **{"max_retries": 0, "timeout": 60, **named})


class Asked:
    """One request's answer, made by hand: status, headers, body."""

    def __init__(
        self, server: CompletionsServer, path: str, body: Any = None, method: str | None = None, **headers: str | None
    ) -> None:
        port = server.served.port
        given: dict[str, str | None] = {"host": f"127.0.0.1:{port}"}
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None:
            given |= {"content-type": "application/json", "content-length": str(len(content))}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.putrequest(method or ("GET" if body is None else "POST"), path, skip_host=True)
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
    def error(self) -> dict[str, Any]:
        """What the error says; it has the protocol's four parts."""
        error: dict[str, Any] = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return error
