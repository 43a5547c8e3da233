"""Listens on one address: uvicorn, with what it lacks against slow senders."""

import asyncio
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from glassloom.errors import InputError
from glassloom.studio.app import Studio
from glassloom.studio.guard import PATIENCE_SECONDS, Rules, is_loopback

CONNECTIONS = 200
"""More at once are answered with 503."""


@dataclass(frozen=True)
class Address:
    """Where the studio listens, and what to open."""

    host: str
    port: int
    token: str | None

    @property
    def url(self) -> str:
        """The address to open, with the token where there is one."""
        shown = "localhost" if self.host in ("", "0.0.0.0", "::") else self.host
        shown = f"[{shown}]" if ":" in shown else shown
        return f"http://{shown}:{self.port}/{f'?token={self.token}' if self.token else ''}"


class Patient(H11Protocol):
    """A connection that is closed where a request has not arrived whole within `patience` seconds.

    uvicorn waits for headers and bodies for ever; a few hundred connections that send a byte a minute would hold it.
    """

    patience = PATIENCE_SECONDS

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._wait()
        else:
            self._arrived()

    def on_response_complete(self) -> None:
        super().on_response_complete()  # takes up the next request, where it came in the same packet
        if self.conn.their_state is h11.SEND_BODY:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._due is None:
            self._due = self.loop.call_later(self.patience, self.transport.abort)

    def _arrived(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


class Server:
    """A studio over one folder of runs, listening.

    >>> Server(Path("runs")).run(lambda address: None)  # doctest: +SKIP

    Raises:
        InputError: the address cannot be listened on.
    """

    def __init__(
        self, folder: Path, host: str = "127.0.0.1", port: int = 8765, patience: float = PATIENCE_SECONDS
    ) -> None:
        self.socket = listening(host, port)
        bound = int(self.socket.getsockname()[1])
        token = None if is_loopback(host) else secrets.token_urlsafe(24)
        self.address = Address(host, bound, token)
        self.studio = Studio(folder, Rules(host, bound, token, patience=patience))
        config = uvicorn.Config(
            self.studio.app, http=type("Patient", (Patient,), {"patience": patience}), ws="none", lifespan="on",
            proxy_headers=False, server_header=False, log_config=None, log_level="error", access_log=False,
            limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=2,
        )  # fmt: skip
        self.uvicorn = uvicorn.Server(config)

    def run(self, ready: Callable[[Address], None]) -> None:
        """Serve until the process is interrupted (or `stop` is called); `ready` is told the address once."""
        ready(self.address)
        try:
            self.uvicorn.run(sockets=[self.socket])
        finally:
            self.socket.close()

    def stop(self) -> None:
        """End `run` soon; from any thread."""
        self.uvicorn.should_exit = True


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; port 0 is any that is free.

    Raises:
        InputError: it is in use, or no address of this machine.
    """
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(where[:2], family=family, backlog=CONNECTIONS)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Nothing can listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}",
            "an address of this machine, and a port that is free",
            "choose another --port (0 takes any)",
        ) from None
