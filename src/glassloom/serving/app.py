"""Which address is answered by what. Models run in threads of their own; here is only waiting and telling."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from glassloom.errors import nearest, sentence
from glassloom.serving.asked import understood, wanted
from glassloom.serving.gate import Gate, too_large
from glassloom.serving.limits import Limits
from glassloom.serving.refusal import Refusal, as_json, json_bytes
from glassloom.serving.scheduler import Job, Scheduler, Tidings, ending
from glassloom.serving.told import Answer
from glassloom.studio.guard import Rules, TooLargeError

LONG = 2**14
"""Bytes of a request that is read and cut into tokens in a thread, so that others need not wait for it."""
BODY_SECONDS = 8.0
"""So long a body may take to arrive; the connection itself is cut a little later."""
DEAF_SECONDS = 5.0
"""So long beyond a request's time a client may take no more of what it is sent."""


class Completions:
    """Everything behind the addresses, over some models."""

    def __init__(self, models: Mapping[str, Scheduler], limits: Limits, rules: Rules) -> None:
        self.models, self.limits = models, limits
        self.answering = 0
        """Requests that are being answered."""
        self.is_ending = False
        routes = [
            Route("/v1/models", told(self.list_models), methods=["GET"]),
            Route("/v1/models/{name}", told(self.show_model), methods=["GET"]),
            Route("/v1/completions", told(self.complete), methods=["POST"]),
        ]
        handlers: dict[Any, Any] = {HTTPException: not_here}
        app = Starlette(routes=routes, lifespan=self._life, exception_handlers=handlers)
        self.app = Gate(app, rules, limits.max_bytes)

    @asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        yield
        with anyio.CancelScope(shield=True):
            for model in self.models.values():
                await to_thread.run_sync(model.stop)

    def model(self, name: str) -> Scheduler:
        """The model of that id.

        Raises:
            Refusal: 404, there is none.
        """
        if name not in self.models:
            fix = sentence(nearest(name, self.models))
            raise Refusal(404, f"There is no model {name[:80]}; {fix}", "model", "model_not_found")
        return self.models[name]

    async def list_models(self, request: Request) -> Response:
        return as_json({"object": "list", "data": [described(model) for model in self.models.values()]})

    async def show_model(self, request: Request) -> Response:
        return as_json(described(self.model(request.path_params["name"])))

    async def complete(self, request: Request) -> Response:
        if self.is_ending:
            raise ending()
        content = await body_of(request, self.limits.max_bytes)
        in_thread = to_thread.run_sync if len(content) > LONG else at_once
        asked = understood(await in_thread(read, content))
        model = self.model(asked.model)
        order = await in_thread(wanted, asked, model.tokenizer, self.limits)
        told_of: asyncio.Queue[Tidings] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def tell(tidings: Tidings) -> None:
            with suppress(RuntimeError):  # the loop has ended, and nobody listens
                loop.call_soon_threadsafe(told_of.put_nowait, tidings)

        job = Job(order, tell)
        model.ask(job)
        answer = Answer(order, job.prompts, model.tokenizer)
        carried = Carried(self, model, job, told_of, answer)
        return Streamed(carried) if asked.stream else await carried.whole(request.receive)


class Carried:
    """A request on its way, from the moment that it is accepted."""

    def __init__(
        self, home: Completions, model: Scheduler, job: Job, told_of: "asyncio.Queue[Tidings]", answer: Answer
    ) -> None:
        self._home, self._model, self._job, self._told_of, self.answer = home, model, job, told_of, answer
        self.seconds = home.limits.seconds
        self._ends = anyio.current_time() + self.seconds
        home.answering += 1

    def close(self) -> None:
        """Nobody waits any more."""
        self._home.answering -= 1
        self._model.leave(self._job)

    async def pieces(self) -> AsyncIterator[list[dict[str, Any]]]:
        """What is told of the texts, as it comes.

        Raises:
            Refusal: 504, it takes too long; 500 or 503, it is broken off.
        """
        while True:
            with anyio.move_on_after(max(0.0, self._ends - anyio.current_time())) as scope:
                tidings = await self._told_of.get()
            if scope.cancelled_caught:
                raise Refusal(
                    504, f"This takes more than {self.seconds:g} seconds. Ask for fewer tokens.", code="timeout"
                )
            if tidings is None:
                return
            if isinstance(tidings, Refusal):
                raise tidings
            yield self.answer.take(tidings)

    async def whole(self, receive: Receive) -> Response:
        """The answer in one piece; where the client leaves, nothing more is written."""
        outcome: list[Response] = []

        async def collect(scope: anyio.CancelScope) -> None:
            try:
                async for _ in self.pieces():
                    pass
                outcome.append(as_json(self.answer.whole()))
            except Refusal as refusal:  # a group would wrap it
                outcome.append(refusal.response())
            scope.cancel()

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(collect, group.cancel_scope)
                await until_left(receive)
                group.cancel_scope.cancel()
        finally:
            self.close()
        return outcome[0] if outcome else Response(status_code=499)


class Streamed(Response):
    """The answer as server-sent events (WHATWG HTML, 9.2), the last of which is `[DONE]`."""

    def __init__(self, carried: Carried) -> None:
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self._carried = carried

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with anyio.move_on_after(self._carried.seconds + DEAF_SECONDS):  # a client that takes nothing is cut off
                async with anyio.create_task_group() as group:

                    async def say() -> None:
                        await self._say(send)
                        group.cancel_scope.cancel()

                    group.start_soon(say)
                    await until_left(receive)
                    group.cancel_scope.cancel()
        finally:
            self._carried.close()

    async def _say(self, send: Send) -> None:
        async def event(value: Any) -> None:
            content = value if isinstance(value, bytes) else json_bytes(value)
            await send({"type": "http.response.body", "body": b"data: " + content + b"\n\n", "more_body": True})

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        answer = self._carried.answer
        try:
            async for pieces in self._carried.pieces():
                for piece in pieces:
                    await event(answer.chunk([piece]))
            if (last := answer.last_chunk()) is not None:
                await event(last)
            await event(b"[DONE]")
        except Refusal as refusal:  # the status is sent already: the error is the last event
            await event(refusal.as_dict())
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def until_left(receive: Receive) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def at_once(work: Callable[..., Any], *given: Any) -> Any:
    """Do it here and now."""
    return work(*given)


def described(model: Scheduler) -> dict[str, Any]:
    """A model as the protocol lists it."""
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": "glassloom"}


def read(content: bytes) -> Any:
    """The value that a body spells.

    Raises:
        Refusal: 400, it is no JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise Refusal(400, "The request is no JSON. Expected: one JSON object in UTF-8.") from None


async def body_of(request: Request, largest: int) -> bytes:
    """The body, whole.

    Raises:
        Refusal: 408, it does not come; 413, it is too large.
    """
    try:
        with anyio.fail_after(BODY_SECONDS):
            return await request.body()
    except TimeoutError:
        raise Refusal(408, f"The request did not arrive within {BODY_SECONDS:.0f} seconds.") from None
    except TooLargeError:
        raise too_large(largest) from None


def told(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The same, with refusals as answers."""

    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except Refusal as refusal:
            return refusal.response(closes=refusal.status in (408, 413))

    return answered


async def not_here(request: Request, error: Exception) -> Response:
    """An address or a method that does not exist."""
    status = getattr(error, "status_code", 404)
    known = "Expected: GET /v1/models, GET /v1/models/ID or POST /v1/completions"
    what = f"{request.method} {request.url.path[:80]} is not answered here. {known}."
    return Refusal(405 if status == 405 else 404, what).response()
