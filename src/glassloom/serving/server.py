"""Listens on one address, and ends without breaking off what it has begun."""

import asyncio
import secrets
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType

import uvicorn

from glassloom.errors import RunError, SettingError
from glassloom.runs import Run
from glassloom.serving.app import Completions
from glassloom.serving.limits import Limits
from glassloom.serving.scheduler import Scheduler
from glassloom.studio.guard import Rules, is_loopback
from glassloom.studio.server import Patient, listening

CONNECTIONS = 500
"""More at once are answered with 503."""
KEPT_SECONDS = 60
"""So long a connection stays open for the client's next request."""
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Served:
    """Where the models are served, by which names, and the token that is asked for."""

    host: str
    port: int
    token: str | None
    models: tuple[str, ...]

    @property
    def url(self) -> str:
        """What a client is given as its base address."""
        shown = "localhost" if self.host in ("", "0.0.0.0", "::") else self.host
        shown = f"[{shown}]" if ":" in shown else shown
        return f"http://{shown}:{self.port}/v1"


class CompletionsServer:
    """Some runs behind the completions protocol, listening.

    Without a `token` one is made up where the address is reached from other machines; on this one alone none is asked
    for.

    >>> CompletionsServer([run]).run(lambda served: None)  # doctest: +SKIP

    Raises:
        InputError: the address cannot be listened on.
        SettingError: the token cannot be sent as one word.
        RunError: no run was named, two have one name, or one is damaged.
    """

    def __init__(
        self,
        runs: Iterable[Run],
        host: str = "127.0.0.1",
        port: int = 8766,
        *,
        token: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        named = by_name(runs)
        limits = limits or Limits()
        if token is not None and not (token.isascii() and token.isprintable() and token and " " not in token):
            raise SettingError(
                "This token cannot be used", "letters, digits and signs without spaces", "change --token"
            )
        self.socket = listening(host, port)
        bound = int(self.socket.getsockname()[1])
        if token is None and not is_loopback(host):
            token = secrets.token_urlsafe(24)
        try:
            models = {name: Scheduler(run, limits) for name, run in named.items()}
        except Exception:
            self.socket.close()
            raise
        self.served = Served(host, bound, token, tuple(models))
        self.completions = Completions(models, limits, Rules(host, bound, token))
        config = uvicorn.Config(
            self.completions.app, http=Patient, ws="none", lifespan="on", proxy_headers=False, server_header=False,
            log_config=None, log_level="error", access_log=False, limit_concurrency=CONNECTIONS,
            timeout_keep_alive=KEPT_SECONDS, timeout_graceful_shutdown=2,
        )  # fmt: skip
        self.uvicorn = Ending(config, self.completions, limits.grace)

    def run(self, ready: Callable[[Served], None]) -> None:
        """Serve until the process is interrupted (or `stop` is called); `ready` is told once where."""
        ready(self.served)
        try:
            self.uvicorn.run(sockets=[self.socket])
        finally:
            self.socket.close()

    def stop(self) -> None:
        """End `run` as a signal would; from any thread."""
        self.uvicorn.end()


class Ending(uvicorn.Server):
    """Ends in two steps: new requests are refused while answers on their way are finished; then it stops listening.

    A second signal ends it at once.
    """

    def __init__(self, config: uvicorn.Config, completions: Completions, grace: float) -> None:
        super().__init__(config)
        self._completions, self._grace = completions, grace
        self._grace_ends: float | None = None

    def end(self) -> None:
        """Take nothing new; stop when nothing is on its way, or the grace is over."""
        self._completions.is_ending = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._captured_signals.append(sig)
        if self._completions.is_ending:
            self.should_exit = True
            self.force_exit = sig == signal.SIGINT or self.force_exit
        self.end()

    async def on_tick(self, counter: int) -> bool:
        if self._completions.is_ending and not self.should_exit:
            now = asyncio.get_running_loop().time()
            if self._grace_ends is None:
                self._grace_ends = now + self._grace
            while self._completions.answering and not self.should_exit and now < self._grace_ends:
                await asyncio.sleep(LOOK_SECONDS)
                now = asyncio.get_running_loop().time()
            for model in self._completions.models.values():  # whoever still waits is told so
                await asyncio.to_thread(model.stop)
            self.should_exit = True
        return await super().on_tick(counter)


def by_name(runs: Iterable[Run]) -> dict[str, Run]:
    """The runs by the names that clients know them by.

    Raises:
        RunError: there is none, or two have one name.
    """
    named: dict[str, Run] = {}
    for run in runs:
        if run.name in named and named[run.name].path.resolve() != run.path.resolve():
            raise RunError(
                f"Two runs are called {run.name}: {named[run.name].path} and {run.path}",
                "one run of each name, for clients ask for a model by its name",
                "serve them apart, or copy one to another name",
            )
        named[run.name] = run
    if not named:
        raise RunError("No run was named", "one or more runs", "name them: glassloom serve RUN...")
    return named
