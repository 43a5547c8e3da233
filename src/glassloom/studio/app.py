"""Which address is answered by what. Work is done in threads, so that no browser waits for another one's view."""

import json
import logging
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
from glassloom.runs import Following
from glassloom.studio import looking, pages, writing
from glassloom.studio.apart import Apart, Made
from glassloom.studio.curves import Curves, points_asked, versions_asked
from glassloom.studio.facts import run_facts
from glassloom.studio.folder import RunsFolder
from glassloom.studio.guard import Guard, Rules, TooLargeError
from glassloom.studio.shelf import Opened, Purpose, Shelf
from glassloom.studio.trainings import Trainings, at_hand
from glassloom.studio.wire import FAULTS, as_bytes, as_error, json_line, unforeseen

LONGEST_TEXT = 48 * 2**20
"""Bytes of a request that brings a text to train on: 30 MB as JSON."""
LONGEST_UPLOAD = 30 * 10**6
"""Bytes of a text, as the page takes it."""
LONG = 2**16
MOST_RUNS = 60
"""Runs whose curves are asked for at once."""

Answer = Callable[[Request], Awaitable[Response]]


class Studio:
    """Everything behind the addresses, over one folder of runs."""

    def __init__(self, folder: Path, rules: Rules) -> None:
        self.folder, self.curves, self.shelf = RunsFolder(folder), Curves(), Shelf()
        self.trainings, self.writing, self.apart = Trainings(folder), writing.Counter(), Apart(folder)
        self._quick, self._models = CapacityLimiter(16), CapacityLimiter(8)
        self._rules = rules
        rules.larger["/api/train"] = LONGEST_TEXT
        answers: dict[str, dict[str, Answer]] = {
            "GET": {
                "/api/runs": self.runs, "/api/run": self.run, "/api/curves": self.of_curves, "/api/views": self.views,
                "/api/corpora": self.corpora, "/report": self.report,
            },
            "POST": {
                "/api/open": self.open, "/api/write": self.write, "/api/alternatives": self.alternatives,
                "/api/owes": self.owes, "/api/look": self.look, "/api/file": self.file, "/api/train": self.train,
                "/api/continue": self.go_on, "/api/stop": self.stop,
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
            await to_thread.run_sync(self.apart.close)

    async def in_thread(self, work: Callable[..., Any], *given: Any, waits: bool = False) -> Any:
        """Do it in a thread. `waits`: for a model that another request may hold."""
        return await to_thread.run_sync(partial(work, *given), limiter=self._models if waits else self._quick)

    async def made(self, request: Request, what: str, asked: dict[str, Any]) -> Made:
        """A view, a file or a report for a reader who may leave: it is ended then, or where it takes too long.

        Raises:
            GlassloomError: it takes too long, or the reader has left.
        """
        outcome: list[Made | GlassloomError] = []

        async def watch(scope: anyio.CancelScope) -> None:
            while not await request.is_disconnected():
                await anyio.sleep(0.25)
            scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(watch, group.cancel_scope)
            try:
                outcome.append(await self.apart.make(what, asked))
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
            trainings = self.trainings.as_dicts()
            found = self.folder.describe(one["name"] for one in trainings if one["running"])
            known = self.folder.runs()
            for facts in found:
                if facts["state"] == "running" and facts["name"] in known:
                    follower = self.curves.follow(known[facts["name"]])
                    follower.read(0.05)
                    facts["live"] = live_facts(follower)
            return {"folder": str(self.folder.root), "runs": found, "trainings": trainings}

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
        self.apart.warm()
        return as_json({"views": await self.in_thread(looking.views)})

    async def corpora(self, request: Request) -> Response:
        rows = await self.in_thread(at_hand)
        limits = {"seconds": self._rules.patience, "bytes": LONGEST_UPLOAD}
        return as_json(
            {
                "limits": limits,
                "corpora": [{name: row[name] for name in ("name", "what", "bytes", "status")} for row in rows],
            }
        )

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
            yield json_line(as_error(error))
        finally:
            self.writing.add(-1)

    async def alternatives(self, request: Request) -> Response:
        asked = await body_of(request)
        opened = await self.in_thread(self.take, asked.get("run"), "writing")
        return as_json(await self.in_thread(writing.alternatives, opened, asked, waits=True))

    async def owes(self, request: Request) -> Response:
        asked = await body_of(request)
        opened = await self.in_thread(self.take, asked.get("run"), "looking")
        return as_json(await self.in_thread(writing.owes, opened, asked, waits=True))

    # -- views

    async def look(self, request: Request) -> Response:
        made = await self.made(request, "look", await body_of(request))
        return refused(made) or Response(made.content, media_type=made.kind)

    async def file(self, request: Request) -> Response:
        made = await self.made(request, "file", await body_of(request))
        # RFC 6266: names may be Hebrew, or hold quotes
        named = f'filename="{made.name}"' if quote(made.name) == made.name else f"filename*=UTF-8''{quote(made.name)}"
        headers = {"content-disposition": f"attachment; {named}"}
        return refused(made) or Response(made.content, media_type=made.kind, headers=headers)

    async def report(self, request: Request) -> Response:
        names = request.query_params.getlist("run")[:MOST_RUNS]
        try:
            made = await self.made(request, "report", {"runs": names})
            wrong = made.error["sentence"] if made.error is not None else ""
        except GlassloomError as error:
            wrong = str(error)
        if wrong:  # read by a person, in a page of its own
            return Response(wrong, 400, media_type="text/plain")
        # the page's own scripts run by their hashes, from an origin of its own: nothing of the studio is in its reach
        policy = "sandbox allow-scripts allow-downloads; frame-ancestors 'none'"
        return Response(made.content, media_type="text/html", headers={"content-security-policy": policy})

    # -- training

    async def train(self, request: Request) -> Response:
        return as_json({"training": await self.in_thread(self.trainings.start, await body_of(request))})

    async def go_on(self, request: Request) -> Response:
        asked = await body_of(request)
        run = await self.in_thread(self.folder.find, asked.get("name"))
        return as_json({"training": await self.in_thread(self.trainings.go_on, run, asked)})

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
            return as_json(as_error(error), 400)
        except FAULTS as error:
            logging.getLogger(__name__).exception("%s could not be answered", request.url.path)
            return as_json(as_error(unforeseen(error)), 500)

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


def live_facts(follower: Following) -> dict[str, Any]:
    """What a training measured last, and `best_nats`, the lowest loss so far."""
    with follower.lock:
        nats = follower.curves["valid"].columns["nats"]
        return {**follower.last, **({"best_nats": min(nats)} if nats else {})}


def as_json(value: Any, status: int = 200) -> Response:
    """Plain data as an answer."""
    return Response(as_bytes(value), status, media_type="application/json")


def refused(made: Made) -> Response | None:
    """What is answered where the other process told of an error."""
    return None if made.error is None else as_json({"error": made.error}, made.status)
