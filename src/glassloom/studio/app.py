"""Which address is answered by what. Work is done in threads, so that no browser waits for another one's view."""

import json
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from glassloom.errors import GlassloomError, InputError, RunError
from glassloom.studio import looking, pages, writing
from glassloom.studio.curves import Curves, points_asked, versions_asked
from glassloom.studio.facts import run_facts
from glassloom.studio.folder import RunsFolder
from glassloom.studio.guard import Guard, Rules, TooLargeError
from glassloom.studio.shelf import Opened, Purpose, Shelf
from glassloom.studio.trainings import Trainings, at_hand

LONGEST_TEXT = 48 * 2**20
"""Bytes of a request that brings a text to train on: 30 MB as JSON."""
LONG = 2**16
LONGEST_VIEW_SECONDS = 120.0
MOST_RUNS = 60
"""Runs whose curves are asked for at once."""

Answer = Callable[[Request], Awaitable[Response]]


class Studio:
    """Everything behind the addresses, over one folder of runs."""

    def __init__(self, folder: Path, rules: Rules) -> None:
        self.folder, self.curves, self.shelf = RunsFolder(folder), Curves(), Shelf()
        self.trainings, self.writing = Trainings(folder), writing.Counter()
        self._quick, self._slow, self._models = CapacityLimiter(16), CapacityLimiter(2), CapacityLimiter(8)
        rules.larger["/api/train"] = LONGEST_TEXT
        answers: dict[str, dict[str, Answer]] = {
            "GET": {
                "/api/runs": self.runs, "/api/run": self.run, "/api/curves": self.of_curves, "/api/views": self.views,
                "/api/corpora": self.corpora, "/report": self.report,
            },
            "POST": {
                "/api/open": self.open, "/api/write": self.write, "/api/alternatives": self.alternatives,
                "/api/owes": self.owes, "/api/look": self.look, "/api/file": self.file, "/api/train": self.train,
                "/api/stop": self.stop,
            },
        }  # fmt: skip
        routes = [Route(at, told(answer), methods=[by]) for by, all in answers.items() for at, answer in all.items()]
        routes.append(Route("/{path:path}", self.page, methods=["GET"]))
        self.app = Guard(
            Starlette(routes=routes, lifespan=self._life, exception_handlers={TooLargeError: too_large}), rules
        )

    @asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        yield
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self.trainings.close)

    async def in_thread(self, work: Callable[..., Any], *given: Any, slow: bool = False, waits: bool = False) -> Any:
        """Do it in a thread; slow work two at a time, and not for ever. `waits`: for a model that a view may hold."""
        if not slow:
            return await to_thread.run_sync(partial(work, *given), limiter=self._models if waits else self._quick)
        try:
            with anyio.fail_after(LONGEST_VIEW_SECONDS):
                return await to_thread.run_sync(partial(work, *given), limiter=self._slow, abandon_on_cancel=True)
        except TimeoutError:
            raise InputError(
                f"This takes more than {LONGEST_VIEW_SECONDS:.0f} seconds", "a shorter text", "use the command line"
            ) from None

    async def while_awaited(self, request: Request, work: Callable[[], Any]) -> Any:
        """Slow work for a reader who may leave: what has not begun by then never begins.

        Raises:
            InputError: it takes too long, or the reader has left.
        """
        outcome: list[Any] = []

        async def watch(scope: anyio.CancelScope) -> None:
            while not await request.is_disconnected():
                await anyio.sleep(0.25)
            scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(watch, group.cancel_scope)
            try:
                outcome.append(await self.in_thread(work, slow=True))
            except GlassloomError as error:  # a group would wrap it
                outcome.append(error)
            group.cancel_scope.cancel()
        found = outcome[0] if outcome else InputError("The reader has left", "one who waits", "ask again")
        if isinstance(found, GlassloomError):
            raise found
        return found

    def take(self, name: Any, purpose: Purpose) -> Opened:
        """The open model of a run."""
        return self.shelf.take(self.folder.find(name), purpose)

    # -- what is there

    async def page(self, request: Request) -> Response:
        file = await self.in_thread(pages.file_at, request.url.path)
        if file is None:
            return Response("There is nothing at this address.", 404, media_type="text/plain")
        headers = {"etag": file.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.kind, headers=headers)

    async def runs(self, request: Request) -> Response:
        def all_runs() -> dict[str, Any]:
            found = self.folder.describe()
            known = self.folder.runs()
            for facts in found:
                if facts["state"] == "running" and facts["name"] in known:
                    follower = self.curves.follow(known[facts["name"]])
                    follower.read(0.05)
                    facts["live"] = follower.last
            return {"folder": str(self.folder.root), "runs": found, "trainings": self.trainings.as_dicts()}

        return as_json(await self.in_thread(all_runs))

    async def run(self, request: Request) -> Response:
        run = await self.in_thread(self.folder.find, request.query_params.get("name"))
        return as_json(await self.in_thread(run_facts, run))

    async def of_curves(self, request: Request) -> Response:
        names = request.query_params.getlist("run")[:MOST_RUNS]
        have = versions_asked(names, request.query_params.getlist("have"))
        most = points_asked(request.query_params.get("points"))

        def read() -> dict[str, Any]:
            there = {}
            for name in names:
                with suppress(RunError):  # gone, or none of this folder
                    there[name] = self.folder.find(name)
            return self.curves.of(there, most, have)

        return as_json({"curves": await self.in_thread(read)})

    async def views(self, request: Request) -> Response:
        return as_json({"views": await self.in_thread(looking.views)})

    async def corpora(self, request: Request) -> Response:
        rows = await self.in_thread(at_hand)
        return as_json({"corpora": [{name: row[name] for name in ("name", "what", "bytes", "status")} for row in rows]})

    # -- the playground

    async def open(self, request: Request) -> Response:
        asked = await body_of(request)
        opened = await self.in_thread(self.take, asked.get("run"), "writing")
        model, tokenizer = opened.subject.model, opened.subject.tokenizer
        return as_json({"architecture": model.settings.architecture, "vocabulary": model.vocabulary,
                        "tokenizer": tokenizer.name, "context": model.context})  # fmt: skip

    async def write(self, request: Request) -> Response:
        asked = await body_of(request)
        opened = await self.in_thread(self.take, asked.get("run"), "writing")
        lines = iter(await self.in_thread(writing.Continuation, opened, asked))
        return StreamingResponse(self._streamed(lines), media_type="application/x-ndjson")

    async def _streamed(self, lines: Any) -> AsyncIterator[bytes]:
        """Lines as they come. Where the reader has left, Starlette cancels this, and nothing more is written."""
        self.writing.add(1)
        try:
            while (line := await self.in_thread(next, lines, None)) is not None:
                yield json_line(line)
        except GlassloomError as error:
            yield json_line(writing.as_error(error))
        finally:
            self.writing.add(-1)

    async def alternatives(self, request: Request) -> Response:
        asked = await body_of(request)
        opened = await self.in_thread(self.take, asked.get("run"), "writing")
        return as_json(await self.in_thread(writing.alternatives, opened, asked, waits=True))

    async def owes(self, request: Request) -> Response:
        asked = await body_of(request)
        opened = await self.in_thread(self.take, asked.get("run"), "looking")
        return as_json(await self.in_thread(writing.debts, opened, asked, waits=True))

    # -- views

    def _looked_at(self, asked: dict[str, Any]) -> Any:
        others = asked.get("beside") or []
        if not isinstance(others, list) or len(others) > looking.MOST_BESIDE:
            raise InputError("So many runs do not fit", f"at most {looking.MOST_BESIDE} beside", "choose fewer")
        beside = [self.take(name, "looking") for name in others]
        return looking.found_by(self.take(asked.get("run"), "looking"), beside, asked)

    async def look(self, request: Request) -> Response:
        asked = await body_of(request)
        return as_json(await self.while_awaited(request, lambda: looking.as_shown(self._looked_at(asked))))

    async def file(self, request: Request) -> Response:
        asked = await body_of(request)

        def made() -> tuple[bytes, str, str]:
            return looking.as_file(self._looked_at(asked), asked.get("form"), str(asked.get("run")))

        content, kind, name = await self.while_awaited(request, made)
        # RFC 6266: names may be Hebrew, or hold quotes
        named = f'filename="{name}"' if quote(name) == name else f"filename*=UTF-8''{quote(name)}"
        return Response(content, media_type=kind, headers={"content-disposition": f"attachment; {named}"})

    async def report(self, request: Request) -> Response:
        names = request.query_params.getlist("run")[:MOST_RUNS]
        try:
            runs = [await self.in_thread(self.folder.find, name) for name in names]
            page = await self.in_thread(looking.report_page, runs, slow=True)
        except GlassloomError as error:  # read by a person, in a page of its own
            return Response(str(error), 400, media_type="text/plain")
        # the page's own scripts run by their hashes, from an origin of its own: nothing of the studio is in its reach
        policy = "sandbox allow-scripts allow-downloads; frame-ancestors 'none'"
        return Response(page, media_type="text/html", headers={"content-security-policy": policy})

    # -- training

    async def train(self, request: Request) -> Response:
        return as_json({"training": await self.in_thread(self.trainings.start, await body_of(request))})

    async def stop(self, request: Request) -> Response:
        asked = await body_of(request)
        await self.in_thread(self.trainings.stop, asked.get("name"))
        return as_json({"stopping": asked.get("name")})


def told(answer: Answer) -> Answer:
    """The same, with what a user can cause answered in a sentence."""

    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except GlassloomError as error:
            return as_json(writing.as_error(error), 400)
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            logging.getLogger(__name__).exception("%s could not be answered", request.url.path)
            reason = RunError(
                f"This could not be answered ({type(error).__name__})", "a run folder that is whole",
                "look whether a file in it is damaged; the terminal has more",
            )  # fmt: skip
            return as_json(writing.as_error(reason), 500)

    return answered


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object that a request brings.

    Raises:
        InputError: it is none.
    """
    content = await request.body()
    try:
        found = json.loads(content) if len(content) < LONG else await to_thread.run_sync(json.loads, content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError("The request cannot be read", "a JSON object", "load the page anew")
    return found


async def too_large(request: Request, error: Exception) -> Response:
    """A body that grew beyond what was announced."""
    return Response("That is too much at once.", 413, media_type="text/plain", headers={"connection": "close"})


def as_json(value: Any, status: int = 200) -> Response:
    """Plain data as an answer."""
    try:
        content = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:  # a run folder may hold anything
        content = json.dumps(finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(content.encode("utf-8", "replace"), status, media_type="application/json")


def finite(value: Any) -> Any:
    """The same with None for every number that JSON, or a browser, has not.

    >>> finite({"a": [1.5, float("nan")], "b": 10**400})
    {'a': [1.5, None], 'b': None}
    """
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if isinstance(value, int) and abs(value) >= 2**63 else value


def json_line(value: Any) -> bytes:
    """Plain data as one line."""
    return (
        json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
    )
