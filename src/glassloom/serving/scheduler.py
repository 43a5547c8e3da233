"""One model in a thread of its own: who comes when there is room, who waits, who is sent away, who has left."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from glassloom.errors import GlassloomError
from glassloom.generation.together import News, Prompt, Together
from glassloom.runs import Run, checkpoint_of
from glassloom.serving.asked import Wanted
from glassloom.serving.limits import Limits
from glassloom.serving.refusal import Refusal

Tidings: TypeAlias = list[News] | Refusal | None
"""What a request is told: news of its texts, why it is broken off, or that it is whole (None)."""
RETRY_SECONDS = 1
"""When one who was sent away may try again."""


class Job:
    """A request that is carried out: its prompts, and where news of them goes (called from the model's thread)."""

    def __init__(self, wanted: Wanted, tell: Callable[[Tidings], None]) -> None:
        asked = wanted.asked
        self.prompts = [
            Prompt(ids, own, top=asked.logprobs, looks=bool(asked.echo))
            for ids, own in zip(wanted.prompts, wanted.several, strict=True)
        ]
        self.texts, self.tell = wanted.texts, tell
        self.left = sum(1 + len(prompt.several) for prompt in self.prompts)
        """News that are still to come: each prompt is read once, and each text ends once."""


class Scheduler:
    """A model, and all requests for it. `ask` and `leave` are called from any thread.

    >>> scheduler = Scheduler(run, Limits())  # doctest: +SKIP
    >>> scheduler.ask(Job(wanted, print))  # doctest: +SKIP

    Raises:
        RunError: the run is damaged.
    """

    def __init__(self, run: Run, limits: Limits) -> None:
        self.name, self.created = run.name, created(run.path)
        self.tokenizer = run.tokenizer
        self._limits, self._model = limits, run.model(checkpoint_of(run, None))
        self._together = Together(self._model, self.tokenizer)
        self._changed = threading.Condition()
        self._coming: deque[Job] = deque()
        self._waiting: deque[Job] = deque()
        self._leaving: list[Job] = []
        self._inside: dict[Prompt, Job] = {}
        self._taken, self._over = 0, False
        self._thread = threading.Thread(target=self._work, name=f"model {run.name}", daemon=True)
        self._thread.start()

    def ask(self, job: Job) -> None:
        """Begin with a request, or let it wait.

        Raises:
            Refusal: 429, too many wait already; 503, the server is ending.
        """
        with self._changed:
            if self._over:
                raise ending()
            if not self._waiting and self._taken + job.texts <= self._limits.at_once:
                self._taken += job.texts
                self._coming.append(job)
            elif len(self._waiting) < self._limits.queue:
                self._waiting.append(job)
            else:
                raise Refusal(
                    429, f"{len(self._waiting):,} requests wait for {self.name} already. Try again later.",
                    code="rate_limit_exceeded", after=RETRY_SECONDS,
                )  # fmt: skip
            self._changed.notify()

    def leave(self, job: Job) -> None:
        """Nobody waits for this request any more: what has not been written never is."""
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
            elif job.left:
                self._leaving.append(job)
                self._changed.notify()

    def stop(self) -> None:
        """End; whoever is still waiting is told so."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    @property
    def load(self) -> tuple[int, int]:
        """Texts that are being written or begun, and requests that wait."""
        with self._changed:
            return self._taken, len(self._waiting)

    def _work(self) -> None:
        while self._took_in():
            try:
                self._tell(self._together.go_on())
            except Exception as error:  # our own mistake, or too little memory: these requests end, the server does not
                logging.getLogger(__name__).exception("%s could not go on", self.name)
                self._break_off(Refusal(500, f"{self.name} could not go on ({type(error).__name__}).", code="failed"))
                self._together = Together(self._model, self.tokenizer)
        self._break_off(ending())

    def _took_in(self) -> bool:
        """Wait for something to do, let in who has come and out who has left; whether there is more to do."""
        with self._changed:
            while not (self._over or self._coming or self._leaving or self._together.is_busy):
                self._changed.wait()
            coming, leaving = list(self._coming), list(self._leaving)
            self._coming.clear()
            self._leaving.clear()
            if self._over:
                self._coming.extend(coming)
                return False
        for job in coming:
            for prompt in job.prompts:
                self._inside[prompt] = job
                self._together.join(prompt)
        for job in leaving:
            self._let_out(job)
        return True

    def _tell(self, news: list[News]) -> None:
        """Everything of one request at once."""
        by_job: dict[Job, list[News]] = {}
        for one in news:
            by_job.setdefault(self._inside[one.prompt], []).append(one)
        for job, own in by_job.items():
            failed = next((one.error for one in own if one.error is not None), None)
            if failed is not None:
                self._let_out(job)
                job.tell(Refusal(500, sentence_of(failed), code="failed"))
                continue
            job.left -= sum(one.sample is None or (one.written is not None and one.written.stopped is not None)
                            for one in own)  # fmt: skip
            job.tell(own)
            if not job.left:
                self._let_out(job)
                job.tell(None)

    def _let_out(self, job: Job) -> None:
        """The request ends; those that wait come in, as far as there is room."""
        if self._inside.get(job.prompts[0]) is not job:
            return  # it is out already
        for prompt in job.prompts:
            self._together.leave(prompt)
            del self._inside[prompt]
        with self._changed:
            job.left = 0
            self._taken -= job.texts
            while self._waiting and self._taken + self._waiting[0].texts <= self._limits.at_once:
                self._taken += self._waiting[0].texts
                self._coming.append(self._waiting.popleft())

    def _break_off(self, why: Refusal) -> None:
        """Everybody inside is told why; when the server ends, those who wait too."""
        for job in dict.fromkeys(self._inside.values()):
            self._let_out(job)
            job.tell(why)
        with self._changed:
            if not self._over:
                return
            outside = [*self._coming, *self._waiting]
            self._coming.clear()
            self._waiting.clear()
        for job in outside:
            job.tell(why)


def ending() -> Refusal:
    """The answer of a server that is about to end."""
    return Refusal(503, "The server is ending. Try again when it is back.", code="ending", after=RETRY_SECONDS)


def sentence_of(error: GlassloomError) -> str:
    """An error of the model's, in one line."""
    return " ".join(str(error).split())


def created(path: Path) -> int:
    """When a run was made, in seconds since 1970."""
    return int((path / "tokenizer.json").stat().st_mtime)
